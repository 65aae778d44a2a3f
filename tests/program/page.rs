//! The report's page in a real browser: it renders, fits a phone, and has nothing to complain of.
//! Without Chromium there is nothing to look at it with, and the test says so.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::common::Home;
use crate::synthetic::{as_the_study, record, save};

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];
/// A browser that has said nothing by then hangs.
const PATIENCE: Duration = Duration::from_mins(4);

fn browser() -> Option<&'static str> {
    BROWSERS.into_iter().find(|name| {
        let mut version = Command::new(name);
        version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        version.status().is_ok_and(|status| status.success())
    })
}

/// What the browser made of a page: its document after loading, and what it logged.
fn dump(browser: &str, page: &Path, home: &Home, dark: bool) -> (String, String) {
    let (out, err) = (home.path("dom"), home.path("log"));
    let mut command = Command::new(browser);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--hide-scrollbars", "--enable-logging=stderr"])
        .arg("--dump-dom")
        .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)))
        .arg(format!("--user-data-dir={}", home.path("browser").display()))
        .arg(page)
        .stdin(Stdio::null())
        .stdout(fs::File::create(&out).unwrap())
        .stderr(fs::File::create(&err).unwrap());
    let mut child = command.spawn().unwrap();
    let since = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if since.elapsed() > PATIENCE {
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

/// A page that holds `inner` in a frame of the given width and writes down what it measures there.
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
        println!("skipped: none of {BROWSERS:?} is installed, so nobody can look at the page");
        return;
    };
    let home = Home::new();
    let mut records = Vec::new();
    for profile in ["study-latency-users-quick", "study-throughput-quick"] {
        let path = home.path(&format!("{profile}.json"));
        save(&record(profile, &[], |point, k| Some(as_the_study(point, k))), &path);
        records.push(path.display().to_string());
    }
    let out = home.path("out").display().to_string();
    let arguments = [vec!["report".into(), "--out".into(), out], records].concat();
    home.hubmark(arguments).ends(0);
    let page = fs::read_to_string(home.path("out").join("index.html")).unwrap();

    for (width, dark) in [(360, false), (360, true), (1_280, false)] {
        let path = home.path("frame.html");
        fs::write(&path, frame(&page, width)).unwrap();
        let (dom, log) = dump(browser, &path, &home, dark);
        let seen = dom.split_once("<pre id=\"seen\">").map(|(_, rest)| rest);
        let seen = seen.and_then(|rest| rest.split_once("</pre>")).map(|(seen, _)| seen);
        let seen = seen.unwrap_or_else(|| panic!("nothing was rendered\n{log}"));
        let seen: serde_json::Value =
            serde_json::from_str(&seen.replace("&quot;", "\"").replace("&amp;", "&"))
                .unwrap_or_else(|error| panic!("{error}: {seen}\n{log}"));
        let number = |name: &str| seen[name].as_u64().unwrap();
        assert_eq!(number("width"), u64::from(width), "{seen}");
        assert!(number("scroll") <= number("width"), "it overflows at {width}: {seen}");
        assert_eq!(seen["wide"].as_array().unwrap().len(), 0, "{seen}");
        assert!(number("figures") >= 20 && number("flat") == 0, "{seen}");
        assert!(seen["head"].as_str().unwrap().contains("study-latency-users-quick"));
        let paper = if dark { "rgb(20, 24, 28)" } else { "rgb(254, 254, 254)" };
        assert_eq!(seen["paper"].as_str(), Some(paper), "{seen}");
        let complaints: Vec<_> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
        assert_eq!(complaints, [""; 0]);
    }
}
