//! libvirt: networks, the pool, volumes and domains, as <https://libvirt.org/format.html> has them.
//!
//! Every network, domain and pool has an identity made of its name: defining it twice changes it instead of making another.

mod domain;
mod network;
mod storage;

pub(super) use storage::first_boot;

use quick_xml::se::Serializer;
use serde::Serialize;

use super::Files;
use crate::lab::Lab;
use crate::plan::object::{Kind, Libvirt};

/// The name of the pool of volumes.
pub const POOL: &str = "lab";

/// All documents, each with what it describes.
pub(crate) fn documents(lab: &Lab) -> Vec<Libvirt> {
    let document = |kind, name: String, xml, machine| Libvirt { kind, name, xml, machine };
    let networks =
        lab.networks.iter().map(|it| document(Kind::Network, it.name.to_string(), network::xml(lab, it), None));
    let pool = document(Kind::Pool, POOL.to_owned(), storage::pool(lab), None);
    let volumes = lab.machines.iter().flat_map(|machine| {
        let name = Some(machine.name.to_string());
        storage::volumes(machine).into_iter().map(move |it| document(Kind::Volume, it.name, it.xml, name.clone()))
    });
    let domains = lab.machines.iter().map(|machine| {
        document(Kind::Domain, machine.name.to_string(), domain::xml(lab, machine), Some(machine.name.to_string()))
    });
    networks.chain([pool]).chain(volumes).chain(domains).collect()
}

pub(super) fn render(lab: &Lab, files: &mut Files) {
    for network in &lab.networks {
        let path = format!("host/libvirt/network-{}.xml", network.name);
        files.add(path, format!("virsh net-define: network {}", network.name), network::xml(lab, network));
    }
    files.add("host/libvirt/pool.xml", "virsh pool-define: where volumes are", storage::pool(lab));
    for machine in &lab.machines {
        for volume in storage::volumes(machine) {
            let path = format!("host/libvirt/volume-{}.xml", volume.name.trim_end_matches(".qcow2"));
            files.add(path, format!("virsh vol-create {POOL}: {}", volume.purpose), volume.xml);
        }
        let path = format!("host/libvirt/domain-{}.xml", machine.name);
        files.add(path, format!("virsh define: machine {}", machine.name), domain::xml(lab, machine));
    }
}

/// An element as a document.
fn document(root: &str, element: &impl Serialize) -> String {
    let mut text = format!("<!-- {} -->\n", super::RENDERED.trim_start_matches("# "));
    let mut serializer = Serializer::with_root(&mut text, Some(root)).expect("the root is a name");
    serializer.indent(' ', 2);
    element.serialize(serializer).expect("every field has a form in XML");
    text.push('\n');
    text
}

/// An element without content.
#[derive(Serialize)]
struct Empty {}
