//! `probe`: every step of one health check, then its verdict.

use fmc_api::probe::{PortProbe, ProbeAnswer};

use super::backends::health_tone;
use super::paint::{Paint, Tone};

pub(crate) fn write(answer: &ProbeAnswer, paint: Paint) -> String {
    let ProbeAnswer { backend, server, health, ports, .. } = answer;
    if ports.is_empty() {
        return format!("{backend}/{server}: no frontend sends clients there, so there is no port to ask\n");
    }
    let ports: String = ports.iter().map(|port| self::port(port, paint)).collect();
    let believed = paint.tone(health_tone(*health), health.as_str());
    format!("{ports}{backend}/{server} is {believed} by its scheduled checks; this probe does not count\n")
}

fn port(port: &PortProbe, paint: Paint) -> String {
    let PortProbe { address, passed, result, words, latency_ms, steps } = port;
    let steps: String = steps.iter().map(|step| format!("{:>9.1} ms  {}\n", step.at_ms, step.words)).collect();
    let tone = if *passed { Tone::Good } else { Tone::Bad };
    format!("{address}\n{steps}{}: {words} in {latency_ms:.1} ms\n", paint.tone(tone, result))
}
