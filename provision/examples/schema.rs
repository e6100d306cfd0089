//! Prints the JSON schema of the inventory: `cargo run -p fmc-provision --example schema`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(fmc_provision::schema::text().as_bytes())
}
