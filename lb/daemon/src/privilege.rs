//! Giving up root: a role keeps its own user id and the few capabilities it works with (capabilities(7)).

use caps::{CapSet, Capability, CapsHashSet};
use nix::unistd::{User, geteuid, setgroups, setresgid, setresuid};

/// What a role runs as.
#[derive(Debug)]
pub(crate) struct Identity {
    /// System user; its primary group comes with it.
    pub(crate) user: &'static str,
    /// Without one of these the role cannot work.
    pub(crate) needs: &'static [(Capability, &'static str)],
    /// Used when the unit grants them; the role says what it lacks.
    pub(crate) wants: &'static [Capability],
}

/// The keeper: raw sockets and addresses; real-time priority and locked memory until it has them.
pub(crate) const KEEPER: Identity = Identity {
    user: "fmc-lb-keeper",
    needs: &[
        (Capability::CAP_NET_ADMIN, "add and remove the virtual addresses"),
        (Capability::CAP_NET_RAW, "send VRRP adverts and gratuitous ARP"),
    ],
    wants: &[Capability::CAP_SYS_NICE, Capability::CAP_IPC_LOCK],
};

/// The proxy, which meets the clients: nothing but ports under 1024.
pub(crate) const PROXY: Identity =
    Identity { user: "fmc-lb", needs: &[(Capability::CAP_NET_BIND_SERVICE, "listen on ports 80 and 443")], wants: &[] };

/// Why a process could not become less than root.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrivilegeError {
    #[error("fmc-lb run starts as root and gives it up; start it by systemd, or with sudo")]
    NotRoot,
    #[error("system user {0} does not exist: create it with 'systemd-sysusers' from dist/sysusers.d/fmc-lb.conf")]
    NoSuchUser(&'static str),
    #[error("{0} is missing, needed to {1}: add it to CapabilityBoundingSet= of the unit")]
    MissingCapability(Capability, &'static str),
    #[error("cannot change to user {user}: {source}")]
    ChangeUser { user: &'static str, source: nix::Error },
    #[error("cannot reduce the capabilities: {0}")]
    Capabilities(String),
}

impl Identity {
    /// The user's ids. Errors: [`PrivilegeError::NoSuchUser`].
    pub(crate) fn resolve(&self) -> Result<User, PrivilegeError> {
        User::from_name(self.user).ok().flatten().ok_or(PrivilegeError::NoSuchUser(self.user))
    }

    /// Whether root could become this; asked by the supervisor before it starts anything.
    pub(crate) fn check(&self) -> Result<User, PrivilegeError> {
        if !geteuid().is_root() {
            return Err(PrivilegeError::NotRoot);
        }
        let held = caps::read(None, CapSet::Permitted).map_err(capability_error)?;
        match self.needs.iter().find(|(capability, _)| !held.contains(capability)) {
            Some((capability, purpose)) => Err(PrivilegeError::MissingCapability(*capability, purpose)),
            None => self.resolve(),
        }
    }

    /// Becomes this identity for good. Single-threaded callers only: user ids are changed per process, capabilities per thread.
    pub(crate) fn assume(&self) -> Result<(), PrivilegeError> {
        let user = self.check()?;
        let keep = self.kept().map_err(capability_error)?;
        drop_bounding_set_to(&keep).map_err(capability_error)?;
        change_user(&user).map_err(|source| PrivilegeError::ChangeUser { user: self.user, source })?;
        restrict_to(&keep).map_err(capability_error)
    }

    fn kept(&self) -> Result<CapsHashSet, caps::errors::CapsError> {
        let held = caps::read(None, CapSet::Permitted)?;
        let named = self.needs.iter().map(|(capability, _)| *capability).chain(self.wants.iter().copied());
        Ok(named.filter(|capability| held.contains(capability)).collect())
    }
}

fn change_user(user: &User) -> nix::Result<()> {
    nix::sys::prctl::set_keepcaps(true)?;
    setgroups(&[user.gid])?;
    setresgid(user.gid, user.gid, user.gid)?;
    setresuid(user.uid, user.uid, user.uid)?;
    nix::sys::prctl::set_keepcaps(false)?;
    nix::sys::prctl::set_no_new_privs()
}

fn drop_bounding_set_to(keep: &CapsHashSet) -> Result<(), caps::errors::CapsError> {
    let bounding = caps::read(None, CapSet::Bounding)?;
    bounding.difference(keep).try_for_each(|capability| caps::drop(None, CapSet::Bounding, *capability))
}

fn restrict_to(keep: &CapsHashSet) -> Result<(), caps::errors::CapsError> {
    caps::clear(None, CapSet::Inheritable)?;
    caps::set(None, CapSet::Effective, keep)?;
    caps::set(None, CapSet::Permitted, keep)
}

fn capability_error(error: caps::errors::CapsError) -> PrivilegeError {
    PrivilegeError::Capabilities(error.to_string())
}
