//! The report's page in a real browser: it renders, fits a phone, and logs no errors. Skipped without
//! Chromium.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::support::{
    sandbox::Sandbox,
    synthetic::{record, save, study_like},
};

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];
/// How long a browser may take to render a page.
const RENDER_LIMIT: Duration = Duration::from_mins(4);

fn browser() -> Option<&'static str> {
    BROWSERS.into_iter().find(|name| {
        let mut version = Command::new(name);
        version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        version.status().is_ok_and(|status| status.success())
    })
}

/// Renders a page; returns its document after loading, and the browser's log.
fn render(browser: &str, page: &Path, sandbox: &Sandbox, dark: bool) -> (String, String) {
    let (out, err) = (sandbox.path("dom"), sandbox.path("log"));
    let mut command = Command::new(browser);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--hide-scrollbars", "--enable-logging=stderr"])
        .arg("--dump-dom")
        .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)))
        .arg(format!("--user-data-dir={}", sandbox.path("browser").display()))
        .arg(page)
        .stdin(Stdio::null())
        .stdout(fs::File::create(&out).unwrap())
        .stderr(fs::File::create(&err).unwrap());
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + RENDER_LIMIT;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("{browser} hangs: {}", fs::read_to_string(&err).unwrap_or_default());
        }
        sleep(Duration::from_millis(50));
    }
    (
        fs::read_to_string(&out).unwrap(),
        String::from_utf8_lossy(&fs::read(&err).unwrap()).into_owned(),
    )
}

/// A page that shows `inner` in a frame of the given width and writes down its measurements.
fn frame(inner: &str, width: u32) -> String {
    let inner = inner.replace('&', "&amp;").replace('"', "&quot;");
    format!(
        "<!DOCTYPE html><meta charset=utf-8><title>frame</title><pre id=seen></pre>\
         <script>function look(frame) {{ const d = frame.contentDocument, e = d.documentElement; \
         const drawn = [...d.querySelectorAll('svg')].map(s => s.getBoundingClientRect()); \
         const wide = [...d.querySelectorAll('body *')].filter(x => !x.closest('.scroll, pre, svg') \
         && x.getBoundingClientRect().right > e.clientWidth + 1).map(x => x.tagName); \
         document.getElementById('seen').textContent = JSON.stringify({{ width: e.clientWidth, \
         scroll: e.scrollWidth, figures: drawn.length, \
         flat: drawn.filter(r => r.height < 100 || r.width < 200).length, wide, \
         paper: getComputedStyle(d.body).backgroundColor, \
         head: d.querySelector('h1').textContent }}); }}</script>\
         <iframe style=\"width:{width}px;height:900px;border:0\" onload=\"look(this)\" \
         srcdoc=\"{inner}\"></iframe>"
    )
}

#[test]
fn the_page_renders_and_fits_a_phone() {
    let Some(browser) = browser() else {
        println!("skipped: none of {BROWSERS:?} is installed, so the page is not rendered");
        return;
    };
    let sandbox = Sandbox::new();
    let mut records = Vec::new();
    for profile in ["study-latency-users-quick", "study-throughput-quick"] {
        let path = sandbox.path(&format!("{profile}.json"));
        save(&record(profile, &[], |point, k| Some(study_like(point, k))), &path);
        records.push(path.display().to_string());
    }
    let out = sandbox.path("out").display().to_string();
    let arguments = [vec!["report".into(), "--out".into(), out], records].concat();
    sandbox.run(arguments).exits_with(0);
    let page = fs::read_to_string(sandbox.path("out").join("index.html")).unwrap();

    for (width, dark) in [(360, false), (360, true), (1_280, false)] {
        let path = sandbox.path("frame.html");
        fs::write(&path, frame(&page, width)).unwrap();
        let (dom, log) = render(browser, &path, &sandbox, dark);
        let found = dom.split_once("<pre id=\"seen\">").map(|(_, rest)| rest);
        let found = found.and_then(|rest| rest.split_once("</pre>")).map(|(found, _)| found);
        let found = found.unwrap_or_else(|| panic!("nothing was rendered\n{log}"));
        let found: serde_json::Value =
            serde_json::from_str(&found.replace("&quot;", "\"").replace("&amp;", "&"))
                .unwrap_or_else(|error| panic!("{error}: {found}\n{log}"));
        let number = |name: &str| found[name].as_u64().unwrap();
        assert_eq!(number("width"), u64::from(width), "{found}");
        assert!(number("scroll") <= number("width"), "it overflows at {width}: {found}");
        assert_eq!(found["wide"].as_array().unwrap().len(), 0, "{found}");
        assert!(number("figures") >= 20 && number("flat") == 0, "{found}");
        assert!(found["head"].as_str().unwrap().contains("study-latency-users-quick"));
        let paper = if dark { "rgb(20, 24, 28)" } else { "rgb(254, 254, 254)" };
        assert_eq!(found["paper"].as_str(), Some(paper), "{found}");
        let complaints: Vec<_> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
        assert_eq!(complaints, [""; 0]);
    }
}
