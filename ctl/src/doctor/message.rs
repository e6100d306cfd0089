//! Everything the doctor can say, in every language: one table.

use super::Language;

/// A line of the table: the message with what it is about, then for each language what is found and what to do ("" for nothing).
macro_rules! messages {
    ($($variant:ident($($part:ident),*) {
        en: $en:literal, $en_fix:literal;
        es: $es:literal, $es_fix:literal;
    })+) => {
        /// Something found; the parts stand in its text by name.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) enum Message {
            $($variant($(messages!(@text $part)),*),)+
        }

        impl Message {
            /// What was found, and what to do.
            pub(super) fn in_words(&self, language: Language) -> (String, Option<String>) {
                match self {
                    $(Self::$variant($($part),*) => {
                        let ((what, fix), parts): (_, &[(&str, &String)]) = (match language {
                            Language::En => ($en, $en_fix),
                            Language::Es => ($es, $es_fix),
                        }, &[$((stringify!($part), $part)),*]);
                        (filled(what, parts), (!fix.is_empty()).then(|| filled(fix, parts)))
                    })+
                }
            }

            #[cfg(test)]
            const TABLE: &[(&str, &[&str], [(&str, &str); 2])] =
                &[$((stringify!($variant), &[$(stringify!($part)),*], [($en, $en_fix), ($es, $es_fix)])),+];
        }
    };
    (@text $part:ident) => { String };
}

messages! {
    Kernel(version, wanted) {
        en: "kernel {version}", ""; es: "núcleo {version}", "";
    }
    OldKernel(version, wanted) {
        en: "kernel {version} is older than {wanted}", "dnf update kernel, and reboot";
        es: "el núcleo {version} es anterior a {wanted}", "dnf update kernel, y reinicie";
    }
    Systemd(version, wanted) {
        en: "systemd {version}", ""; es: "systemd {version}", "";
    }
    OldSystemd(version, wanted) {
        en: "systemd {version} is older than {wanted}: parts of the unit's sandbox are ignored", "dnf update systemd, and reboot";
        es: "systemd {version} es anterior a {wanted}: parte del aislamiento de la unidad se ignora", "dnf update systemd, y reinicie";
    }
    NoSystemd() {
        en: "systemd does not answer", "start fmc-lb run by another supervisor that restarts it, or install systemd";
        es: "systemd no responde", "arranque fmc-lb run con otro supervisor que lo reinicie, o instale systemd";
    }
    Glibc(version, wanted) {
        en: "C library {version}", ""; es: "biblioteca C {version}", "";
    }
    OldGlibc(version, wanted) {
        en: "the C library {version} is older than {wanted}", "dnf update glibc, or build fmc-lb on this release";
        es: "la biblioteca C {version} es anterior a {wanted}", "dnf update glibc, o compile fmc-lb en esta versión";
    }
    Capabilities() {
        en: "every capability that the service needs can be had", ""; es: "se dispone de todas las capacidades que el servicio necesita", "";
    }
    NoCapability(names) {
        en: "{names} cannot be had here", "run on the machine itself, or give the container --cap-add {names}";
        es: "no se dispone aquí de {names}", "ejecútelo en la propia máquina, o dé al contenedor --cap-add {names}";
    }
    Users() {
        en: "both system users exist", ""; es: "existen los dos usuarios de sistema", "";
    }
    NoUser(names) {
        en: "the system user {names} is missing", "systemd-sysusers";
        es: "falta el usuario de sistema {names}", "systemd-sysusers";
    }
    NotInstalled() {
        en: "nothing is installed yet: the users of the service come with its package", "";
        es: "aún no hay nada instalado: los usuarios del servicio vienen con su paquete", "";
    }
    SelinuxQuiet(mode) {
        en: "SELinux: {mode}", ""; es: "SELinux: {mode}", "";
    }
    SelinuxLabel(file, label) {
        en: "SELinux enforces, and {file} has the label {label} instead of bin_t: systemd may not run it", "restorecon -v {file}";
        es: "SELinux está activo y {file} tiene la etiqueta {label} en vez de bin_t: systemd no podrá ejecutarlo", "restorecon -v {file}";
    }
    ClockSynchronised() {
        en: "the clock is synchronised", ""; es: "el reloj está sincronizado", "";
    }
    ClockAlone() {
        en: "the clock is not synchronised: times in events of two nodes will not compare", "systemctl enable --now chronyd";
        es: "el reloj no está sincronizado: no se podrán comparar las horas de los eventos de los dos nodos", "systemctl enable --now chronyd";
    }
    NoConfiguration(file, error) {
        en: "{file} cannot be read: {error}", "write it, or name another with --config";
        es: "no se puede leer {file}: {error}", "escríbalo, o indique otro con --config";
    }
    NoConfigurationYet(file) {
        en: "there is no {file} yet: ports, firewall, virtual router ids and paths are looked at for a configuration", "name one with --config; config/examples has the shapes to start from";
        es: "aún no hay {file}: puertos, cortafuegos, identificadores y caminos se miran para una configuración", "indique uno con --config; config/examples tiene modelos para empezar";
    }
    WrongConfiguration(file) {
        en: "{file} is wrong", "fmc-lb check --config {file} shows every error, with the edit that fixes it";
        es: "{file} es incorrecto", "fmc-lb check --config {file} muestra cada error y cómo corregirlo";
    }
    NoSuchNode(known) {
        en: "this machine holds none of the addresses in [nodes]: {known}", "give it its address, or correct [nodes]";
        es: "esta máquina no tiene ninguna de las direcciones de [nodes]: {known}", "asígnele su dirección, o corrija [nodes]";
    }
    Configured(file, node) {
        en: "{file} is valid, and this machine is {node}", ""; es: "{file} es válido y esta máquina es {node}", "";
    }
    PortsFree() {
        en: "every port is free, or held by fmc-lb", ""; es: "todos los puertos están libres o los tiene fmc-lb", "";
    }
    PortTaken(port, holder) {
        en: "{port} is taken by {holder}", "stop {holder}, or give the frontend another port";
        es: "{port} está ocupado por {holder}", "detenga {holder}, o dé otro puerto al frontend";
    }
    Firewall() {
        en: "the firewall lets VRRP, heartbeats, the pair's port and every service in", "";
        es: "el cortafuegos deja pasar VRRP, los latidos, el puerto de la pareja y todos los servicios", "";
    }
    FirewallDrops(what, rule, open) {
        en: "the firewall drops {what}: {rule}", "{open}";
        es: "el cortafuegos descarta {what}: {rule}", "{open}";
    }
    FirewallUnsure(what, rule) {
        en: "whether the firewall lets {what} in depends on {rule}", "look at it: nft -a list ruleset";
        es: "que el cortafuegos deje pasar {what} depende de {rule}", "mírela: nft -a list ruleset";
    }
    FirewallUnread() {
        en: "the firewall's rules cannot be read", "run this as root, with nft (or iptables) installed";
        es: "no se pueden leer las reglas del cortafuegos", "ejecútelo como root, con nft (o iptables) instalado";
    }
    NobodyTouches() {
        en: "nobody else sets the virtual addresses on this machine", ""; es: "nadie más asigna las direcciones virtuales en esta máquina", "";
    }
    SetByFile(address, file) {
        en: "{file} sets {address} itself, so it stays here whoever owns it", "take {address} out of {file}";
        es: "{file} asigna {address}, así que se queda aquí sea quien sea el dueño", "quite {address} de {file}";
    }
    SetForEver(address, interface) {
        en: "{address} is on {interface} for ever and is not ours", "ip address del {address} dev {interface}, once nothing else (Keepalived?) needs it";
        es: "{address} está en {interface} para siempre y no es nuestra", "ip address del {address} dev {interface}, cuando nada más (¿Keepalived?) la necesite";
    }
    Keepalived(pid) {
        en: "Keepalived runs here (pid {pid})", "migrate with profile = \"compat\" (docs/how-to/replace-haproxy-keepalived.md), then systemctl disable --now keepalived";
        es: "Keepalived está en marcha aquí (pid {pid})", "migre con profile = \"compat\" (docs/how-to/replace-haproxy-keepalived.md) y después systemctl disable --now keepalived";
    }
    VirtualRoutersFree(seconds, ids) {
        en: "in {seconds} s no other router used virtual router {ids}", ""; es: "en {seconds} s ningún otro router usó el router virtual {ids}", "";
    }
    VirtualRouterTaken(id, source, vip, free) {
        en: "{source}, which is none of [nodes], uses virtual router {id}, that of {vip}", "set virtual_router_id = {free} in [vips.{vip}], which nobody was heard to use; or stop {source}, if it is the pair that this one replaces";
        es: "{source}, que no está en [nodes], usa el router virtual {id}, el de {vip}", "ponga virtual_router_id = {free} en [vips.{vip}], que nadie usa; o detenga {source}, si es la pareja que esta sustituye";
    }
    VirtualRoutersUnheard(error) {
        en: "VRRP on the wire cannot be heard: {error}", "run this as root";
        es: "no se puede escuchar VRRP en la red: {error}", "ejecútelo como root";
    }
    ReturnPath() {
        en: "answers to the other nodes leave by the interface of each VIP, and every server has a route", "";
        es: "las respuestas a los otros nodos salen por la interfaz de cada VIP, y hay ruta a todos los servidores", "";
    }
    WrongReturnPath(address, to, by, interface) {
        en: "from {address}, {to} is reached by {by} and not by {interface}", "ip route get {to} from {address} shows why; correct the route or the rule";
        es: "desde {address} se llega a {to} por {by} y no por {interface}", "ip route get {to} from {address} muestra por qué; corrija la ruta o la regla";
    }
    NoRoute(server, address) {
        en: "there is no route to {server} ({address})", "add one: ip route add {address}/32 via ROUTER, and in the network's configuration";
        es: "no hay ruta hasta {server} ({address})", "añádala: ip route add {address}/32 via ROUTER, y en la configuración de la red";
    }
    ReverseFilter(interface, other) {
        en: "rp_filter is strict on {interface}, while {other} is on the way to others: what comes in by one and leaves by the other is dropped", "sysctl -w net.ipv4.conf.{interface}.rp_filter=2 and net.ipv4.conf.all.rp_filter=2, also in /etc/sysctl.d";
        es: "rp_filter es estricto en {interface} y {other} lleva a otros: lo que entra por una y sale por otra se descarta", "sysctl -w net.ipv4.conf.{interface}.rp_filter=2 y net.ipv4.conf.all.rp_filter=2, también en /etc/sysctl.d";
    }
    ArpFlux(first, second) {
        en: "{first} and {second} are in one network, and each answers ARP for the addresses of the other", "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2, also in /etc/sysctl.d";
        es: "{first} y {second} están en la misma red y cada una responde ARP por las direcciones de la otra", "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2, también en /etc/sysctl.d";
    }
    ArpAgrees(address, hardware, node) {
        en: "{address} is answered by {hardware}, which is {node}", ""; es: "por {address} responde {hardware}, que es {node}", "";
    }
    ArpStranger(address, hardware) {
        en: "{address} is answered by {hardware}, which is none of [nodes]", "find it in the switch, and take the address off it; during a migration it is the old pair";
        es: "por {address} responde {hardware}, que no es ninguno de [nodes]", "búsquelo en el conmutador y quítele la dirección; durante una migración es la pareja antigua";
    }
    ArpSilent(address) {
        en: "nobody answers for {address}", ""; es: "nadie responde por {address}", "";
    }
    PeerSilent(node, address) {
        en: "{node} ({address}) does not answer ARP", "start it, or look at the cable and the bridge between the nodes";
        es: "{node} ({address}) no responde a ARP", "enciéndalo, o revise el cable y el puente entre los nodos";
    }
    Untracked() {
        en: "nothing tracks connections", ""; es: "nada hace seguimiento de conexiones", "";
    }
    Tracked(count, most) {
        en: "connection tracking holds {count} of {most}", ""; es: "el seguimiento de conexiones tiene {count} de {most}", "";
    }
    TrackedFull(count, most) {
        en: "connection tracking holds {count} of {most}: when it is full what is new is dropped, VRRP too", "systemctl enable --now fmc-lb-notrack, and sysctl --system for the shipped limits";
        es: "el seguimiento de conexiones tiene {count} de {most}: cuando se llena se descarta lo nuevo, también VRRP", "systemctl enable --now fmc-lb-notrack, y sysctl --system para los límites incluidos";
    }
    TrackedSmall(most) {
        en: "connection tracking has room for {most} only", "sysctl --system loads the shipped limit; or systemctl enable --now fmc-lb-notrack";
        es: "el seguimiento de conexiones solo tiene sitio para {most}", "sysctl --system carga el límite incluido; o systemctl enable --now fmc-lb-notrack";
    }
    ServiceAnswers(version) {
        en: "fmc-lb {version} answers and has no alarm", ""; es: "fmc-lb {version} responde y no tiene alarmas", "";
    }
    ServiceSilent(error) {
        en: "the service cannot be asked: {error}", "systemctl start fmc-lb; before that, --preflight needs none";
        es: "no se puede consultar el servicio: {error}", "systemctl start fmc-lb; antes de eso, --preflight no lo necesita";
    }
    ServiceAlarm(text, fix) {
        en: "alarm: {text}", "{fix}"; es: "alarma: {text}", "{fix}";
    }
    ClocksAgree(node) {
        en: "the clock of {node} agrees", ""; es: "el reloj de {node} coincide", "";
    }
    ClocksDiffer(node, apart) {
        en: "the clock of {node} is {apart} ms away from this one", "systemctl enable --now chronyd, on both nodes";
        es: "el reloj de {node} difiere {apart} ms de este", "systemctl enable --now chronyd, en los dos nodos";
    }
}

fn filled(text: &str, parts: &[(&str, &String)]) -> String {
    parts.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<&str> {
        let parts = text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name));
        let mut names: Vec<&str> = parts.collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    #[test]
    fn every_message_says_the_same_in_both_languages() {
        for (variant, parts, [english, spanish]) in Message::TABLE {
            for (one, other) in [(english.0, spanish.0), (english.1, spanish.1)] {
                assert_eq!(named(one), named(other), "{variant}");
                assert_eq!(one.is_empty(), other.is_empty(), "{variant}");
                assert!(named(one).iter().all(|name| parts.contains(name)), "{variant} names what it does not have");
            }
        }
    }

    #[test]
    fn a_message_is_filled_in_the_language_asked_for() {
        let taken = Message::PortTaken("80/tcp".to_owned(), "haproxy (pid 7)".to_owned());
        let (what, fix) = taken.in_words(Language::Es);
        assert_eq!(what, "80/tcp está ocupado por haproxy (pid 7)");
        assert_eq!(fix.as_deref(), Some("detenga haproxy (pid 7), o dé otro puerto al frontend"));
        assert_eq!(Message::Users().in_words(Language::En), ("both system users exist".to_owned(), None));
    }
}
