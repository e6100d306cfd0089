//! A real libvirtd and a real nft, in namespaces of their own: what they say of what they were given is no difference.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fmc_provision::apply::{Said, Shell, look, perform};
use fmc_provision::plan::Plan;

use crate::{Silent, lab, same, shown};

/// Directories that this machine's own libvirt and network are not touched by.
const SETUP: &str = r#"set -e
for dir in /run /etc/fmc-lab /etc/NetworkManager /etc/sysctl.d /etc/libvirt /var/lib/fmc-lab /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
    mkdir -p $dir; mount -t tmpfs none $dir
done
mkdir -p /var/lib/libvirt/images/base
cp /etc/passwd /run/passwd; cp /etc/group /run/group
echo 'libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin' >>/run/passwd; printf 'libvirt-qemu:x:64055:\nkvm:x:64056:\n' >>/run/group
mount --bind /run/passwd /etc/passwd; mount --bind /run/group /etc/group
printf 'user = "root"\nsecurity_driver = "none"\nnamespaces = []\ncgroup_controllers = []\nstdio_handler = "file"\n' >/etc/libvirt/qemu.conf
ip link set lo up; ip link add br0 type bridge; ip link set br0 up
printf 'auth_unix_rw = "none"\nunix_sock_group = "root"\n' >/etc/libvirt/libvirtd.conf
qemu-img create -q -f qcow2 /var/lib/libvirt/images/base/alma.qcow2 1G
libvirtd >/dev/null 2>&1 &
trap 'kill $!' EXIT
left=150
until virsh -q list >/dev/null 2>&1; do left=$((left - 1)); [ $left -gt 0 ]; sleep 0.2; done
echo ready
read -r until_the_end || :
"#;

/// Whatever is run goes into the namespaces of a first shell, which ends with this.
struct Hypervisor {
    first: Child,
}

impl Hypervisor {
    fn new() -> Self {
        let mut command = Command::new("unshare");
        command.args(["-m", "-n", "sh", "-c", SETUP]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut first = command.spawn().expect("unshare starts (root, and the packages of tests/setup)");
        let mut said = std::io::BufReader::new(first.stdout.take().expect("it is piped"));
        let mut line = String::new();
        std::io::BufRead::read_line(&mut said, &mut line).expect("it says something");
        assert_eq!(line, "ready\n", "namespaces need root, libvirtd and qemu-img the packages of tests/setup");
        Self { first }
    }
}

impl Drop for Hypervisor {
    fn drop(&mut self) {
        drop(self.first.stdin.take());
        let _ended = self.first.wait();
    }
}

impl Shell for Hypervisor {
    fn run(&mut self, place: &str, script: &str, stdin: &[u8], _: Duration) -> Result<Said, String> {
        assert_eq!(place, "hypervisor", "no machine runs here");
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.first.id().to_string(), "-m", "-n", "timeout", "60", "sh", "-c", script]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let mut input = child.stdin.take().expect("it is piped");
        // A script that reads nothing may have ended before.
        let _ = input.write_all(stdin);
        drop(input);
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) })
    }

    fn contact(&mut self, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn pause(&mut self, _: Duration) {}
}

/// Without a QEMU there are no machines, and without a systemd no units.
fn libvirt_and_firewall(plan: Plan) -> Plan {
    let ours = ["network:", "pool:", "volume:", "arm:hypervisor:firewall", "confirm:hypervisor:firewall"];
    let ends = ["fmc-lab.nft", ":firewall"];
    let kept = |object: &str| {
        ours.iter().any(|begin| object.starts_with(begin)) || ends.iter().any(|end| object.ends_with(end))
    };
    Plan { steps: plan.steps.into_iter().filter(|step| kept(&step.object)).collect(), ..plan }
}

fn planned(lab: &fmc_provision::lab::Lab, hypervisor: &mut Hypervisor) -> Plan {
    let observed = look(lab, hypervisor);
    assert!(matches!(observed.libvirt, Some(Ok(_))), "{:?}", observed.libvirt);
    libvirt_and_firewall(fmc_provision::plan::plan(lab, &observed, &Default::default()).expect("no circle"))
}

/// The unit that is never enabled here keeps its guard.
fn assert_nothing_left(plan: &Plan) {
    let guards = ["arm:", "confirm:"];
    let others = plan.steps.iter().filter(|step| !guards.iter().any(|guard| step.object.starts_with(guard)));
    assert_eq!(others.count(), 0, "{plan}");
}

#[test]
fn what_a_real_libvirt_and_a_real_nft_were_given_is_no_difference_to_what_is_wanted() {
    let mut hypervisor = Hypervisor::new();
    let new = lab("new", same);
    let plan = planned(&new, &mut hypervisor);
    assert!(plan.steps.len() >= 9, "{:#?}", shown(&plan));
    perform(&mut hypervisor, &plan, &mut Silent).unwrap_or_else(|stopped| panic!("{stopped}"));
    let left = planned(&new, &mut hypervisor);
    assert_nothing_left(&left);

    let other =
        lab("new", |text| text.replace("10.17.3.", "10.17.9.").replacen("disk = \"10GiB\"", "disk = \"11GiB\"", 1));
    let plan = planned(&other, &mut hypervisor);
    let text = plan.to_string();
    for line in ["~ ip@address: 10.17.3.1 -> 10.17.9.1", "~ capacity: 10737418240 bytes -> 11811160064 bytes"] {
        assert!(text.contains(line), "{line} is missing:\n{text}");
    }
    perform(&mut hypervisor, &plan, &mut Silent).unwrap_or_else(|stopped| panic!("{stopped}"));
    let left = planned(&other, &mut hypervisor);
    assert_nothing_left(&left);
}
