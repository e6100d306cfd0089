//! A histogram whose buckets are counted where it happens, as text.
//!
//! The recorder's own keep every measurement until somebody scrapes; at thousands of connections a second that is memory for nothing.
//! Format: <https://prometheus.io/docs/instrumenting/exposition_formats/>. Label values are names of the configuration, which hold
//! nothing that would have to be escaped.

use std::fmt::Write;
use std::time::Duration;

/// One family: a line for each bucket of each series.
pub(super) struct Histogram {
    name: &'static str,
    bounds: &'static [Duration],
    text: String,
}

impl Histogram {
    /// With the upper bounds of its buckets, ascending; the last bucket has none.
    pub(super) fn new(name: &'static str, help: &str, bounds: &'static [Duration]) -> Self {
        Self { name, bounds, text: format!("# HELP {name} {help}\n# TYPE {name} histogram\n") }
    }

    /// One series, with the counts of each bucket alone.
    pub(super) fn add(&mut self, labels: &[(&str, String)], counts: &[u64], sum: Duration) {
        let (name, labels) = (self.name, labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")));
        let labels: Vec<String> = labels.collect();
        let mut below = 0;
        for (count, bound) in counts.iter().zip(self.bounds.iter().map(Some).chain([None])) {
            below += count;
            let le = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.as_secs_f64().to_string());
            let with_bound: Vec<String> = labels.iter().cloned().chain([format!("le=\"{le}\"")]).collect();
            self.line(&format!("{name}_bucket"), &with_bound, &below.to_string());
        }
        self.line(&format!("{name}_sum"), &labels, &sum.as_secs_f64().to_string());
        self.line(&format!("{name}_count"), &labels, &below.to_string());
    }

    fn line(&mut self, name: &str, labels: &[String], value: &str) {
        let braces = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{name}{braces} {value}");
    }

    /// Appends it to the page.
    pub(super) fn write(&self, page: &mut String) {
        page.push_str(&self.text);
        page.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: [Duration; 2] = [Duration::from_micros(250), Duration::from_secs(1)];

    #[test]
    fn buckets_add_up_and_the_last_one_is_the_count() {
        let mut histogram = Histogram::new("took_seconds", "How long it took", &BOUNDS);
        histogram.add(&[("server", "worker1".to_owned())], &[3, 2, 1], Duration::from_millis(4500));
        histogram.add(&[], &[0, 0, 0], Duration::ZERO);
        let mut page = String::new();
        histogram.write(&mut page);
        assert_eq!(
            page,
            "# HELP took_seconds How long it took\n\
             # TYPE took_seconds histogram\n\
             took_seconds_bucket{server=\"worker1\",le=\"0.00025\"} 3\n\
             took_seconds_bucket{server=\"worker1\",le=\"1\"} 5\n\
             took_seconds_bucket{server=\"worker1\",le=\"+Inf\"} 6\n\
             took_seconds_sum{server=\"worker1\"} 4.5\n\
             took_seconds_count{server=\"worker1\"} 6\n\
             took_seconds_bucket{le=\"0.00025\"} 0\n\
             took_seconds_bucket{le=\"1\"} 0\n\
             took_seconds_bucket{le=\"+Inf\"} 0\n\
             took_seconds_sum 0\n\
             took_seconds_count 0\n\n"
        );
    }
}
