//! What `lab` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

// The generator of the pages includes this file from elsewhere.
#[path = "ddns.rs"]
mod ddns;
#[path = "verify.rs"]
mod verify;

pub(crate) use ddns::Ddns;
pub(crate) use verify::Verify;

#[derive(Debug, Subcommand)]
pub(crate) enum Lab {
    /// Is the inventory right, under every address plan and every way in from the Internet? Shows all that is wrong with it.
    Check {
        /// The inventory; `-` reads it from standard input.
        inventory: PathBuf,
    },

    /// What differs between the inventory and the lab, and which steps would mend it, in which order; changes nothing.
    Plan(LabPlan),

    /// Have the lab be as the inventory says: step by step, one machine at a time. What was cut off goes on when it is typed again.
    Apply(LabApply),

    /// Let the names at Cloudflare follow the lab's public address; run by a timer.
    Ddns(Ddns),

    /// Write every file of the lab, as rendered from the inventory, into a directory; the same bytes in every run.
    Render {
        /// The inventory; `-` reads it from standard input.
        inventory: PathBuf,
        /// The directory; what is in it already and is not rendered stays, and is named.
        #[arg(long, short, value_name = "DIR")]
        output: PathBuf,
        /// The address plan [default: the one that the inventory calls live].
        #[arg(long, value_name = "NAME")]
        plan: Option<String>,
        /// The way in from the Internet [default: the one that the inventory calls live].
        #[arg(long, value_name = "NAME")]
        way: Option<String>,
    },

    /// Is the lab what the inventory says, as seen from this machine? Who can be reached and who must not, the owners of virtual addresses,
    /// names, time, routes, exports, certificates. Exits with 1 when something is not so.
    Verify(Verify),
}

/// Which lab, and how its systems are reached.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    /// The inventory; `-` reads it from standard input.
    pub(crate) inventory: PathBuf,

    /// The address plan [default: the one that the inventory calls live].
    #[arg(long, value_name = "NAME")]
    pub(crate) plan: Option<String>,

    /// The way in from the Internet [default: the one that the inventory calls live].
    #[arg(long, value_name = "NAME")]
    pub(crate) way: Option<String>,

    /// The address plan that the lab has now, when it gets another: systems answer at their old addresses until they have the new ones.
    #[arg(long, value_name = "NAME")]
    pub(crate) from: Option<String>,

    /// This is the hypervisor: its own commands are run without ssh.
    #[arg(long)]
    pub(crate) local: bool,

    /// Log in to the hypervisor as this user: root, or one who may use sudo without a password.
    #[arg(long, value_name = "NAME", default_value = "root")]
    pub(crate) user: String,

    /// What may be lost for good, by the name that the plan gives it; once for each.
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_destroy: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LabPlan {
    #[command(flatten)]
    pub(crate) reach: Reach,

    /// Ask nobody: what changes between the address plan of --from and this one.
    #[arg(long, value_name = "NAME", requires = "from", conflicts_with = "plan")]
    pub(crate) to: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LabApply {
    #[command(flatten)]
    pub(crate) reach: Reach,

    /// Do not ask; without a terminal, nothing is done without it.
    #[arg(long, short)]
    pub(crate) yes: bool,

    /// The file that says which steps began and ended; it is added to.
    #[arg(long, value_name = "FILE", default_value = "fmc-lab.journal")]
    pub(crate) journal: PathBuf,
}
