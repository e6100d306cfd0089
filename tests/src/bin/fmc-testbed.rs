//! `fmc-testbed`: one server of the lab, as a process that can be killed, stopped and continued.

use fmc_tests::testbed::Testbed;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let testbed = Testbed::parse(std::env::args().skip(1))?;
    runtime.block_on(testbed.serve())
}
