//! The whole lab of an inventory on one machine: every host a namespace with its own addresses, the files as rendered, the real programs.
//!
//! | what | by |
//! |---|---|
//! | the LAN, the router with its forwards, the Internet, the hypervisor with its bridges | `wire` |
//! | the packet filter, routes and settings of kernels | the rendered files, loaded |
//! | balancers | `fmc-lb` with the rendered configuration |
//! | names, time, the database, NFS, the tunnel | named, chronyd, PostgreSQL, Ganesha, wireguard-go, with what is rendered for them |
//! | K3s, Traefik, sshd and whatever else a flow leads to | stand-ins that speak TLS or merely answer |
//! | who may reach what, names, owners, ... from every place | `fmc-lbctl lab verify` |

mod balancer;
mod course;
mod matrix;
mod service;
mod stand_in;
mod tunnel;
mod wire;

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use fmc_provision::lab::{Lab as Described, Machine};
use fmc_provision::render;

pub use course::{Report, Step};

use crate::binaries::product;
use crate::certificate::Authority;
use crate::directory::Directory;
use crate::namespace::Namespace;
use crate::privilege;
use crate::process::Process;

/// The lab of one plan and one way, up and wired; removed when dropped.
#[derive(Debug)]
pub struct Rehearsal {
    described: Described,
    inventory: PathBuf,
    authority: Authority,
    processes: BTreeMap<String, Process>,
    hosts: BTreeMap<String, Namespace>,
    directory: Directory,
}

/// Hosts that no inventory names.
const SWITCH: &str = "switch";
const INTERNET: &str = "internet";
const ROUTER: &str = "router";
const OUTSIDE: &str = "outside";
const HYPERVISOR: &str = "hypervisor";
const GUEST: &str = "guest";
const ADMINISTRATOR: &str = "administrator";

impl Rehearsal {
    /// Reads the inventory and builds what it describes, as far as cables, addresses, routes and the packet filter.
    ///
    /// # Errors
    /// The inventory is wrong, or has no such plan or way.
    ///
    /// # Panics
    /// Without root, and with what `ip` or `nft` said when the kernel refuses.
    pub fn build(inventory: &Path, plan: Option<&str>, way: Option<&str>) -> anyhow::Result<Self> {
        privilege::require();
        // Built before anything waits for it.
        product("fmc-lb");
        let text = fs::read_to_string(inventory)?;
        let checked = fmc_provision::read(&text, &inventory.display().to_string());
        let (checked, _) = checked.map_err(|errors| anyhow::Error::msg(errors.render(false)))?;
        let described = checked.lab(plan, way).map_err(anyhow::Error::msg)?;
        let directory = Directory::create();
        let inventory = directory.write("inventory.toml", &text);
        let mut rehearsal = Self {
            described,
            inventory,
            authority: Authority::new(),
            processes: BTreeMap::new(),
            hosts: BTreeMap::new(),
            directory,
        };
        rehearsal.render();
        wire::build(&mut rehearsal);
        Ok(rehearsal)
    }

    fn render(&self) {
        for artifact in render::artifacts(&self.described) {
            let file = self.rendered(&artifact.path);
            fs::create_dir_all(file.parent().expect("it is in a directory")).expect("a directory of the rehearsal");
            fs::write(&file, artifact.content).expect("a file of the rehearsal");
        }
        fs::write(self.rendered("k3s/server-ca.crt"), self.authority.pem()).expect("the CA beside the kubeconfig");
    }

    /// A rendered file, whether or not there is one.
    fn rendered(&self, path: &str) -> PathBuf {
        self.directory.join("rendered").join(path)
    }

    /// The text of a rendered file.
    fn text(&self, path: &str) -> String {
        let file = self.rendered(path);
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    /// A file below the root of a machine.
    fn of_machine(&self, machine: &Machine, path: &str) -> String {
        self.text(&format!("machines/{}/root{path}", machine.name))
    }

    /// A host by its name.
    fn host(&self, name: &str) -> &Namespace {
        self.hosts.get(name).unwrap_or_else(|| panic!("the rehearsal has no host {name}"))
    }

    /// Keeps a program running until [`Rehearsal::stop`]; another one of that name is ended.
    fn keep(&mut self, name: &str, process: Process) {
        self.processes.insert(name.to_owned(), process);
    }

    /// Ends a program at once.
    fn stop(&mut self, name: &str) {
        self.processes.remove(name);
    }

    fn log(&self, name: &str) -> PathBuf {
        self.directory.join(&format!("{name}.log"))
    }

    /// The public address at which the Internet finds the lab.
    fn public(&self) -> Ipv4Addr {
        wire::gateway(&self.described).map_or(wire::WAN, |(_, address)| address)
    }
}
