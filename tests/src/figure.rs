//! Measured figures, printed so that they can be read off a run (`-- --nocapture`).

use std::time::Duration;

/// Prints `figure: NAME VALUE` with a duration in milliseconds.
pub fn figure(name: &str, value: Duration) {
    print_line(name, &format!("{:.1} ms", value.as_secs_f64() * 1000.0));
}

/// Prints `figure: NAME VALUE` for a count.
pub fn figure_count(name: &str, value: usize) {
    print_line(name, &value.to_string());
}

/// Prints lines of a table as they are, for a page of the documents.
#[allow(clippy::print_stdout, reason = "figures are what these tests print")]
pub fn table(lines: &str) {
    println!("{lines}");
}

#[allow(clippy::print_stdout, reason = "figures are what these tests print")]
fn print_line(name: &str, value: &str) {
    println!("figure: {name} {value}");
}
