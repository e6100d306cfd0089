//! [core] Which of a frontend's backends a connection goes to.

use std::net::IpAddr;

use fmc_config::model::route::Route;

use crate::sni::ClientHello;

/// Where a connection goes, or what is needed to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    /// The backend of the route at this place.
    Route(usize),
    /// The frontend's own backend.
    Default,
    /// What the client says in its first message decides.
    NeedsHello,
}

/// The first route that all conditions of which hold; without a `hello`, as far as the address alone tells.
pub(crate) fn choose(routes: &[Route], source: IpAddr, hello: Option<&ClientHello>) -> Destination {
    for (place, route) in routes.iter().enumerate().filter(|(_, route)| is_from(route, source)) {
        match hello {
            None if route.is_of_tls() => return Destination::NeedsHello,
            Some(hello) if !says(route, hello) => {}
            _ => return Destination::Route(place),
        }
    }
    Destination::Default
}

fn is_from(Route { sources, .. }: &Route, source: IpAddr) -> bool {
    sources.is_empty() || sources.iter().any(|network| network.contains(&source))
}

fn says(Route { server_names, alpn, .. }: &Route, hello: &ClientHello) -> bool {
    let is_named = |name: &str| server_names.iter().any(|pattern| pattern.matches(name));
    let speaks = |protocol: &String| hello.alpn.iter().any(|offered| offered == protocol.as_bytes());
    (server_names.is_empty() || hello.server_name.as_deref().is_some_and(is_named))
        && (alpn.is_empty() || alpn.iter().any(speaks))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(server_names: &[&str], alpn: &[&str], sources: &[&str]) -> Route {
        Route {
            server_names: server_names.iter().map(|name| name.parse().unwrap()).collect(),
            alpn: alpn.iter().map(|protocol| (*protocol).to_owned()).collect(),
            sources: sources.iter().map(|network| network.parse().unwrap()).collect(),
            backend: "somewhere".parse().unwrap(),
        }
    }

    fn hello(name: &str, alpn: &[&str]) -> ClientHello {
        let alpn = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        ClientHello { server_name: Some(name.to_owned()).filter(|name| !name.is_empty()), alpn }
    }

    const LAN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 7));
    const VPN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 8, 0, 7));

    #[test]
    fn the_first_route_whose_conditions_all_hold_is_taken() {
        let routes = [
            route(&["a.lab"], &["acme-tls/1"], &[]),
            route(&["a.lab", "*.apps.lab"], &[], &[]),
            route(&[], &["h2"], &["10.8.0.0/24"]),
            route(&[], &[], &["10.8.0.0/24"]),
        ];
        let to = |source, name: &str, alpn: &[&str]| choose(&routes, source, Some(&hello(name, alpn)));
        assert_eq!(to(LAN, "a.lab", &["h2", "acme-tls/1"]), Destination::Route(0));
        assert_eq!(to(LAN, "a.lab", &["h2"]), Destination::Route(1));
        assert_eq!(to(VPN, "x.y.apps.lab", &[]), Destination::Route(1));
        assert_eq!(to(VPN, "apps.lab", &["h2"]), Destination::Route(2));
        assert_eq!(to(VPN, "", &[]), Destination::Route(3));
        assert_eq!(to(LAN, "", &["h2"]), Destination::Default);
    }

    #[test]
    fn a_hello_is_only_asked_for_where_it_decides() {
        let (by_name, by_source) = (route(&["a.lab"], &[], &[]), route(&[], &[], &["10.8.0.0/24"]));
        let both = [by_source.clone(), by_name.clone()];
        assert_eq!(choose(&both, VPN, None), Destination::Route(0));
        assert_eq!(choose(&both, LAN, None), Destination::NeedsHello);
        assert_eq!(choose(&[by_name, by_source.clone()], VPN, None), Destination::NeedsHello);
        assert_eq!(choose(&[by_source], LAN, None), Destination::Default);
        let narrow = route(&["a.lab"], &[], &["10.8.0.0/24"]);
        assert_eq!(choose(&[narrow], LAN, None), Destination::Default, "no name could make it match");
        assert_eq!(choose(&[], LAN, None), Destination::Default);
    }

    #[test]
    fn what_is_not_tls_takes_the_routes_that_ask_for_no_tls() {
        let routes = [route(&["a.lab"], &[], &[]), route(&[], &[], &["10.8.0.0/24"])];
        let nothing = ClientHello::default();
        assert_eq!(choose(&routes, VPN, Some(&nothing)), Destination::Route(1));
        assert_eq!(choose(&routes, LAN, Some(&nothing)), Destination::Default);
    }
}
