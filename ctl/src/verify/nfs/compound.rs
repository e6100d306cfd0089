//! [core] One COMPOUND of NFS version 4 (RFC 7530 §15.2) in one call of ONC RPC (RFC 5531): from the root down to a directory.

const CALL: u32 = 0;
const REPLY: u32 = 1;
const RPC_VERSION: u32 = 2;
const NFS: u32 = 100_003;
const NFS_VERSION: u32 = 4;
const COMPOUND: u32 = 1;
const AUTH_SYS: u32 = 1;
/// Of the user that nothing belongs to.
const NOBODY: u32 = 65_534;
const PUTROOTFH: u32 = 24;
const LOOKUP: u32 = 15;
const XID: u32 = 0x666d_6331;
const LAST_FRAGMENT: u32 = 0x8000_0000;

/// Statuses of RFC 7530 §13.1 that say: not for you.
const HIDDEN: [u32; 5] = [1, 2, 13, 70, 10_016];
const OK: u32 = 0;
const MINOR_VERSION_MISMATCH: u32 = 10_021;

/// The call, as a record.
pub(super) fn lookup(path: &str) -> Vec<u8> {
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    let mut words = Words::default();
    [XID, CALL, RPC_VERSION, NFS, NFS_VERSION, COMPOUND].into_iter().for_each(|word| words.number(word));
    // Credentials: stamp, machine, user, group, no further groups; then no verifier.
    let mut who = Words::default();
    who.number(0);
    who.text("fmc-lbctl");
    [NOBODY, NOBODY, 0].into_iter().for_each(|word| who.number(word));
    words.number(AUTH_SYS);
    words.number(length(&who.0));
    words.0.extend(who.0);
    [0, 0].into_iter().for_each(|word| words.number(word));
    words.text("");
    words.number(0);
    words.number(u32::try_from(steps.len() + 1).unwrap_or(u32::MAX));
    words.number(PUTROOTFH);
    for step in steps {
        words.number(LOOKUP);
        words.text(step);
    }
    let mut record = (length(&words.0) | LAST_FRAGMENT).to_be_bytes().to_vec();
    record.extend(words.0);
    record
}

/// Whether the reply found the directory.
pub(super) fn is_shown(reply: &[u8]) -> Result<bool, String> {
    let strange = || "the server does not answer as NFS does".to_owned();
    let mut words = reply.chunks_exact(4).map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]));
    let mut next = || words.next().ok_or_else(strange);
    if (next()?, next()?) != (XID, REPLY) {
        return Err(strange());
    }
    if next()? != 0 {
        return Ok(false);
    }
    let (_flavour, verifier) = (next()?, next()?);
    for _ in 0..verifier.div_ceil(4) {
        next()?;
    }
    match next()? {
        OK => {}
        accepted => return Err(format!("the server speaks no NFS version 4 (accept_stat {accepted})")),
    }
    match next()? {
        OK => Ok(true),
        status if HIDDEN.contains(&status) => Ok(false),
        MINOR_VERSION_MISMATCH => Err("the server speaks no NFS 4.0, which is asked with".to_owned()),
        status => Err(format!("the server answers with NFS status {status}")),
    }
}

/// XDR (RFC 4506): everything in fours.
#[derive(Default)]
struct Words(Vec<u8>);

impl Words {
    fn number(&mut self, number: u32) {
        self.0.extend(number.to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(length(text.as_bytes()));
        self.0.extend(text.as_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn a_path_becomes_one_lookup_a_step_and_the_record_says_its_length() {
        let record = lookup("/srv/nfs");
        assert_eq!(record.len() % 4, 0);
        assert_eq!(record[..4], (u32::try_from(record.len() - 4).expect("short") | LAST_FRAGMENT).to_be_bytes());
        let tail =
            [0, 3, PUTROOTFH, LOOKUP, 3, u32::from_be_bytes(*b"srv\0"), LOOKUP, 3, u32::from_be_bytes(*b"nfs\0")];
        assert!(record.ends_with(&reply(&tail)), "{record:02x?}");
    }

    #[test]
    fn a_directory_that_is_not_there_or_not_for_us_is_hidden() {
        for (status, shown) in [(0, true), (2, false), (13, false), (10_016, false)] {
            assert_eq!(is_shown(&reply(&[XID, REPLY, 0, 0, 0, 0, status, 0])), Ok(shown), "{status}");
        }
        assert_eq!(is_shown(&reply(&[XID, REPLY, 1, 1])), Ok(false), "denied before anything was read");
        assert!(is_shown(&reply(&[XID, REPLY, 0, 0, 0, 2])).is_err_and(|why| why.contains("no NFS version 4")));
        assert!(is_shown(b"HTTP/1.1 400 Bad Request").is_err());
        assert!(is_shown(&reply(&[XID, REPLY, 0, 0, u32::MAX])).is_err());
    }
}
