//! A real browser, driven as W3C WebDriver says (<https://www.w3.org/TR/webdriver2/>): Chromium without a screen, from a machine of the lab.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::eventually::eventually;
use crate::lab::Lab;
use crate::namespace::Namespace;
use crate::process::{Process, Spawn};

/// Where chromedriver listens on the loopback of its machine.
const DRIVER: &str = "http://127.0.0.1:9515";

/// A browser with one window. Dropping it closes it.
#[derive(Debug)]
pub struct Browser<'lab> {
    machine: &'lab Namespace,
    session: String,
    driver: Process,
}

impl<'lab> Browser<'lab> {
    /// Starts it on `machine`.
    ///
    /// # Panics
    /// Without Debian's packages `chromium` and `chromium-driver`, or when they do not start.
    pub fn start(lab: &'lab Lab, machine: &'lab Namespace) -> Self {
        let profile = lab.path("chromium").display().to_string();
        let spawn = Spawn::new("chromedriver", lab.path("chromedriver.log")).args(["--port=9515"]);
        let driver = machine.spawn(spawn.env("HOME", &profile));
        eventually("chromedriver answers", Duration::from_secs(10), || {
            machine.output("curl", &["-fsS", "-o", "/dev/null", &format!("{DRIVER}/status")]).status.success()
        });
        // The authority of a test is in no store of the browser. No sandbox: it wants to make namespaces of its own, as root it may not. It meets no page but ours.
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"];
        let arguments: Vec<String> =
            arguments.map(str::to_owned).into_iter().chain([format!("--user-data-dir={profile}")]).collect();
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "acceptInsecureCerts": true,
            "goog:chromeOptions": {"args": arguments},
        }}});
        let mut browser = Self { machine, session: String::new(), driver };
        let answer = browser.ask("POST", "/session", &wanted);
        browser.session = answer["sessionId"].as_str().expect("a session").to_owned();
        browser
    }

    /// Opens a page and waits until it is loaded.
    pub fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Runs a function body in the page and returns its value.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The text of the first element that a selector finds, as it is shown; empty when there is none.
    pub fn text(&self, selector: &str) -> String {
        let found = self.run(&format!("return document.querySelector({})?.innerText ?? ''", Value::from(selector)));
        found.as_str().unwrap_or_default().to_owned()
    }

    /// Gives the window's content this size in CSS pixels, at a density of its own.
    pub fn resize(&self, width: u32, height: u32, density: f64) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": density, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Pretends that the user prefers `scheme`, `light` or `dark`.
    pub fn prefer(&self, scheme: &str) {
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", &media);
    }

    /// Presses a key where the focus is: WebDriver's name of it, for example `\u{E004}` for Tab.
    pub fn press(&self, key: &str) {
        let strokes = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        self.post("/actions", &json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]}));
    }

    /// What has been written to the console since it was last asked for.
    pub fn console(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({"type": "browser"}));
        let entry = |entry: &Value| format!("{}: {}", entry["level"], entry["message"]);
        entries.as_array().expect("log entries").iter().map(entry).collect()
    }

    /// Writes what the window shows as PNG.
    pub fn screenshot(&self, file: &Path) {
        let picture = self.devtools("Page.captureScreenshot", &json!({"format": "png"}));
        let encoded = file.with_extension("base64");
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("a directory for pictures");
        std::fs::write(&encoded, picture["data"].as_str().expect("a picture")).expect("a picture on the disk");
        let decode = format!("base64 -d '{}' >'{}'", encoded.display(), file.display());
        self.machine.expect("sh", &["-c", &decode]);
        std::fs::remove_file(encoded).expect("the encoded picture");
    }

    /// A command of Chromium's own protocol.
    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", &format!("/session/{}{path}", self.session), body)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("{DRIVER}{path}");
        let arguments = ["-sS", "--max-time", "30", "-X", method, "-H", "Content-Type: application/json", "-d"];
        let text = self.machine.expect("curl", &[&arguments[..], &[&body.to_string(), &url]].concat());
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"));
        let error = &answer["value"]["error"];
        assert!(error.is_null(), "{method} {path}: {error}: {}\n{}", answer["value"]["message"], self.driver.log());
        answer["value"].clone()
    }
}

impl Drop for Browser<'_> {
    /// The driver closes its browser; what would be left ends with the machine's namespace.
    fn drop(&mut self) {
        let url = format!("{DRIVER}/session/{}", self.session);
        self.machine.output("curl", &["-sS", "--max-time", "5", "-X", "DELETE", &url]);
    }
}
