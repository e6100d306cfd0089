//! The status page in a real browser. Pictures of it are left in `target/browser`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fmc_tests::browser::Browser;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::Target;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::pair::Pair;
use fmc_tests::server::Server;
use nix::sys::signal::Signal;

const PAGE: &str = "http://192.168.0.30:9109/";
const CLIENT_MAY_LOOK: &str = "[admin]\nlisten = [\"127.0.0.1:9109\", \"node:9109\"]\nallow = [\"192.168.0.50/32\"]\n";
const TAB: &str = "\u{E004}";
const SPACE: &str = " ";
const SOON: Duration = Duration::from_secs(10);

/// The least contrast of text that WCAG 2.2 asks for at level AA (success criterion 1.4.3).
const CONTRAST: f64 = 4.5;

/// The lowest contrast of any colour that text has here with any background that is behind text.
const LOWEST_CONTRAST: &str = "
    const value = (name) => { const probe = document.createElement('i'); probe.style.color = `var(${name})`; document.body.append(probe);
        const rgb = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map(Number); probe.remove(); return rgb; };
    const light = (rgb) => { const [r, g, b] = rgb.map((n) => n / 255).map((n) => n <= .04045 ? n / 12.92 : ((n + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
    const contrast = (a, b) => { const [low, high] = [light(value(a)), light(value(b))].sort((x, y) => x - y); return (high + .05) / (low + .05); };
    const onAll = ['--ink', '--soft', '--good', '--warn', '--bad', '--mark'].flatMap((ink) => ['--paper', '--card'].map((back) => contrast(ink, back)));
    const onOwn = ['good', 'warn', 'bad'].flatMap((kind) => [contrast(`--ink`, `--${kind}-back`)]);
    return Math.min(...onAll, ...onOwn);";

#[test]
fn the_page_lives_in_a_browser() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let mut workers = Server::workers(&lab);
    let configuration = Configuration::flatcar_micro_cloud().with(CLIENT_MAY_LOOK);
    let pair = Pair::start(&lab, &configuration.with_key(&lab, "0123456789abcdef0123456789abcdef0123456789abcdef"));
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(20));
    let browser = Browser::start(&lab, lab.client());
    browser.resize(1280, 900, 1.0);
    browser.open(PAGE);
    shows(&browser, "#vips", &["api 192.168.0.32", "web 192.168.0.33", "loadbalancer1 serves it", "priority"]);
    shows(&browser, "#nodes", &["loadbalancer1 (this node)", "keeper", "loadbalancer2", "heard"]);
    shows(&browser, "#backends", &["master1", "master3", "worker2", "healthy for", "ms"]);
    shows(&browser, "#services", &["web", "new connections", "bit/s"]);

    // It lives: a server that dies is seen without a touch, by its words, its mark and its event.
    workers[0].kill();
    shows(&browser, "#backends", &["✕ unhealthy", "connection refused"]);
    shows(&browser, "#events", &["workers/worker1", "unhealthy (was healthy)"]);
    workers[0].start();
    pair.first.expect_ctl(&["failover", "all", "--yes"]);
    shows(&browser, "#vips", &["loadbalancer2 serves it"]);
    shows(&browser, "#moved", &["Last move", "to loadbalancer2"]);

    pictures(&browser);
    by_keyboard(&browser);
    for_those_who_listen(&browser);
    eventually("the strip of worker1 shows the failure", SOON, || {
        let label =
            "return [...document.querySelectorAll('.strip')].map((strip) => strip.getAttribute('aria-label')).join()";
        browser.run(label).as_str().is_some_and(|labels| labels.contains("failed its check in"))
    });
    assert_eq!(browser.console(), [""; 0], "the console of the page");

    // The page never shows an old picture as if it were new, and comes back by itself.
    pair.first.signal(fmc_tests::balancer::Role::Supervisor, Signal::SIGSTOP);
    pair.first.signal(fmc_tests::balancer::Role::Proxy, Signal::SIGSTOP);
    shows(&browser, "#lost", &["No word of this node for"]);
    pair.first.signal(fmc_tests::balancer::Role::Proxy, Signal::SIGKILL);
    pair.first.signal(fmc_tests::balancer::Role::Supervisor, Signal::SIGCONT);
    eventually("the page is fresh again", Duration::from_secs(20), || browser.text("#lost").is_empty());
    load.stop();
}

/// On a screen and on a phone, by day and by night: readable, and nothing sticks out.
fn pictures(browser: &Browser<'_>) {
    for (device, width, height) in [("screen", 1280, 900), ("phone", 390, 844)] {
        browser.resize(width, height, 1.0);
        for scheme in ["light", "dark"] {
            browser.prefer(scheme);
            let contrast = browser.run(LOWEST_CONTRAST).as_f64().expect("a number");
            assert!(contrast >= CONTRAST, "{scheme}: text has a contrast of {contrast:.2}");
            let wide = browser.run("return document.documentElement.scrollWidth").as_u64();
            assert!(wide <= Some(width.into()), "{wide:?} pixels on a {device} of {width}");
            browser.screenshot(&picture(&format!("{device}-{scheme}.png")));
        }
    }
}

/// Every place that can be reached is reached by Tab, is seen to have the focus, and acts.
fn by_keyboard(browser: &Browser<'_>) {
    browser.run("document.activeElement.blur(); window.scrollTo(0, 0)");
    let focused = "return document.activeElement.className || document.activeElement.id";
    browser.press(TAB);
    assert_eq!(browser.run(focused), "skip");
    browser.press(TAB);
    assert_eq!(browser.run(focused), "pause");
    browser.press(SPACE);
    let shown = || browser.text("#about");
    assert_eq!(browser.run("return document.activeElement.getAttribute('aria-pressed')"), "true");
    let still = shown();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(shown(), still, "a paused page changes nothing");
    browser.press(SPACE);
    eventually("the page goes on", SOON, || shown() != still);
    assert_eq!(browser.run(focused), "pause", "what the page writes takes nobody's focus away");
}

/// What a screen reader is told: landmarks, a heading for each, a name for each picture and region.
fn for_those_who_listen(browser: &Browser<'_>) {
    let nameless = "return [...document.querySelectorAll('svg, button, [role=region], table caption, section')]
        .filter((node) => !(node.getAttribute('aria-label') || node.getAttribute('aria-labelledby') || node.textContent.trim())).length";
    assert_eq!(browser.run(nameless), 0);
    let announced = browser.run("return document.getElementById('announce').textContent");
    assert!(announced.as_str().is_some_and(|text| text.contains("web is served by loadbalancer2")), "{announced}");
    let order = browser.run("return [...document.querySelectorAll('h1, h2, h3')].map((node) => node.tagName).join('')");
    let order = order.as_str().expect("headings");
    assert!(order.starts_with("H1H2H3") && !order.contains("H1H3"), "headings in the order {order}");
    assert_eq!(browser.run("return document.documentElement.lang"), "en");
}

/// The picture of the documents, after some minutes of a life: not part of the suite.
#[test]
#[ignore = "writes docs/images/status-page.png, in five minutes"]
fn picture_for_the_documents() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let mut workers = Server::workers(&lab);
    let configuration = Configuration::flatcar_micro_cloud().with(CLIENT_MAY_LOOK);
    let pair = Pair::start(&lab, &configuration.with_key(&lab, "0123456789abcdef0123456789abcdef0123456789abcdef"));
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(9));
    std::thread::sleep(Duration::from_secs(100));
    workers[1].kill();
    std::thread::sleep(Duration::from_secs(40));
    workers[1].start();
    std::thread::sleep(Duration::from_secs(60));
    pair.first.expect_ctl(&["failover", "api", "--yes"]);
    std::thread::sleep(Duration::from_secs(60));
    let browser = Browser::start(&lab, lab.client());
    browser.resize(1000, 1420, 1.0);
    browser.open(PAGE);
    shows(&browser, "#services", &["bit/s"]);
    std::thread::sleep(Duration::from_secs(3));
    browser.screenshot(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images/status-page.png"));
    load.stop();
}

fn shows(browser: &Browser<'_>, selector: &str, words: &[&str]) {
    for word in words {
        let what = format!("{selector} of the page shows {word:?}");
        eventually(&what, SOON, || browser.text(selector).contains(word));
    }
}

fn picture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/browser").join(name)
}
