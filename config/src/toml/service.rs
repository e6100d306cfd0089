//! `[pair]`, `[admin]` with its `remote`, and `[limits]` as typed.

use std::num::NonZeroU16;
use std::path::PathBuf;

use ipnet::IpNet;

use super::frontends::MAX_CONNECTIONS;
use super::table::{Table, Value};
use super::{address, scalar, shape};
use crate::diagnostic::Code;
use crate::findings::{Findings, Located, Place};
use crate::model::service::Listen;

/// `[pair]`.
#[derive(Debug, Default)]
pub(crate) struct RawPair {
    pub(crate) port: Option<Located<NonZeroU16>>,
    pub(crate) key_file: Option<Located<PathBuf>>,
}

impl RawPair {
    pub(crate) fn read(table: &Table<'_>, findings: &mut Findings) -> Self {
        Self {
            port: table.take("port").and_then(|value| address::port(&value, findings)),
            key_file: table.take("key_file").and_then(|value| scalar::path(&value, findings)),
        }
    }
}

/// `[admin]`.
#[derive(Debug, Default)]
pub(crate) struct RawAdmin {
    pub(crate) listen: Option<Vec<Located<Listen>>>,
    pub(crate) allow: Vec<IpNet>,
    /// The key stands there, right or wrong.
    pub(crate) allow_typed: bool,
    pub(crate) remote: Option<RawRemote>,
}

/// `[admin.remote]`; each `None` was not typed, or was wrong and reported.
#[derive(Debug)]
pub(crate) struct RawRemote {
    pub(crate) place: Place,
    pub(crate) listen: Option<Vec<Located<Listen>>>,
    pub(crate) cert_file: Option<Located<PathBuf>>,
    pub(crate) key_file: Option<Located<PathBuf>>,
    pub(crate) token_file: Option<Located<PathBuf>>,
    pub(crate) client_ca_file: Option<Located<PathBuf>>,
    pub(crate) allow: Vec<IpNet>,
    /// The key stands there, right or wrong; the same below.
    pub(crate) allow_typed: bool,
    pub(crate) credential_typed: bool,
}

impl RawAdmin {
    pub(crate) fn read(table: &Table<'_>, findings: &mut Findings) -> Self {
        let allow = table.take("allow");
        Self {
            listen: table.take("listen").and_then(|value| listen(&value, findings)),
            allow_typed: allow.is_some(),
            allow: allow.map_or_else(Vec::new, |value| self::allow(&value, findings)),
            remote: table.take("remote").and_then(|value| RawRemote::read(&value, findings)),
        }
    }
}

impl RawRemote {
    /// `None`: not a table.
    fn read(value: &Value<'_>, findings: &mut Findings) -> Option<Self> {
        let table = value.table(&shape::ADMIN_REMOTE, findings)?;
        let path =
            |value: Option<Value<'_>>, findings: &mut Findings| value.and_then(|value| scalar::path(&value, findings));
        let cert_file = table.require("cert_file", "\"/etc/fmc-lb/admin.crt\"", findings);
        let key_file = table.require("key_file", "\"/etc/fmc-lb/admin.key\"", findings);
        let (token_file, client_ca_file) = (table.take("token_file"), table.take("client_ca_file"));
        let allow = table.take("allow");
        Some(Self {
            listen: table.take("listen").and_then(|value| listen(&value, findings)),
            cert_file: path(cert_file, findings),
            key_file: path(key_file, findings),
            credential_typed: token_file.is_some() || client_ca_file.is_some(),
            token_file: path(token_file, findings),
            client_ca_file: path(client_ca_file, findings),
            allow_typed: allow.is_some(),
            allow: allow.map_or_else(Vec::new, |value| self::allow(&value, findings)),
            place: table.place,
        })
    }
}

/// One address or a list; an empty list closes the TCP side, the unix socket stays.
fn listen(value: &Value<'_>, findings: &mut Findings) -> Option<Vec<Located<Listen>>> {
    if value.is_string() {
        return Some(vec![address::listen(value, findings)?]);
    }
    let items = value.list("[\"127.0.0.1:9109\"]", findings)?;
    Some(items.iter().filter_map(|item| address::listen(item, findings)).collect())
}

fn allow(value: &Value<'_>, findings: &mut Findings) -> Vec<IpNet> {
    let Some(items) = value.list("[\"192.168.0.0/24\"]", findings) else { return Vec::new() };
    if items.is_empty() {
        let fix = "name the networks that may look, or remove `allow`";
        findings.add(Code::EmptyList, &value.place, "an empty list would let nobody in", fix);
    }
    items.iter().filter_map(|item| address::prefix(item, findings)).collect()
}

/// Less does not hold the proxy itself.
const MAX_MEMORY_MIB: std::ops::RangeInclusive<u32> = 32..=1_048_576;

/// `[limits]`.
#[derive(Debug, Default)]
pub(crate) struct RawLimits {
    pub(crate) max_connections: Option<Located<u32>>,
    pub(crate) max_memory_mib: Option<Located<u32>>,
    pub(crate) check_commands: Option<Located<bool>>,
}

impl RawLimits {
    pub(crate) fn read(table: &Table<'_>, findings: &mut Findings) -> Self {
        let number = |key, range, findings: &mut Findings| {
            table.take(key).and_then(|value| scalar::number(&value, range, findings))
        };
        Self {
            max_connections: number("max_connections", MAX_CONNECTIONS, findings),
            max_memory_mib: number("max_memory_mib", MAX_MEMORY_MIB, findings),
            check_commands: table.take("check_commands").and_then(|value| scalar::truth(&value, findings)),
        }
    }
}
