//! Servers whose address a name tells.

use std::num::{NonZeroU8, NonZeroU32};

use super::name;
use crate::diagnostic::Code;
use crate::findings::Findings;
use crate::model::backend::{NamedServer, Records, Weight};
use crate::model::name::HostName;
use crate::toml::backends::RawServer;

/// `None`: something was wrong, and is reported.
pub(super) fn lower(raw: &RawServer, host: &HostName, after: usize, findings: &mut Findings) -> Option<NamedServer> {
    let RawServer { name, address: _, records, port, weight, max_connections, backup, check_address } = raw;
    let records = match records.as_ref().map(|records| records.value) {
        Some(most @ 2..) => Records::Each(NonZeroU8::new(most)?),
        Some(_) | None => Records::First,
    };
    if records != Records::First && name.value.len() > NamedServer::LONGEST_NAME {
        let problem = format!("{:?} leaves no room for the address that is put behind it", name.value);
        let fix = format!("write a name of at most {} characters", NamedServer::LONGEST_NAME);
        findings.add(Code::BadName, &name.place, problem, fix);
    }
    Some(NamedServer {
        name: name::lower(name, findings)?,
        host: host.clone(),
        records,
        after,
        port: port.as_ref().map(|port| port.value),
        weight: Weight::new(weight.as_ref().map_or(1, |weight| weight.value))?,
        max_connections: max_connections.as_ref().and_then(|limit| NonZeroU32::new(limit.value)),
        backup: backup.as_ref().is_some_and(|backup| backup.value),
        check_address: check_address.as_ref().map(|address| address.value),
        serving_ports: Vec::new(),
    })
}

/// An address is one server.
pub(super) fn report_records_unused(raw: &RawServer, findings: &mut Findings) {
    if let Some(records) = &raw.records {
        let problem = format!("`records` has no effect: {} is an address", raw.address.value);
        findings.add(Code::RecordsUnused, &records.place, problem, "remove it, or write a host name as `address`");
    }
}
