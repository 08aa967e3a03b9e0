//! The page in a real browser: a script that is added to it moves through it by keyboard and pointer, and the browser prints the
//! document that it leaves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::dom::Page;
use crate::folders::{comparison, run};
use crate::page;

const BROWSERS: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// The first browser on the path, or the one that `OREAL_BROWSER` names.
fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("OREAL_BROWSER").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = || std::env::split_paths(&path).flat_map(|folder| BROWSERS.map(|name| folder.join(name)));
    named.or_else(|| all().find(|program| program.is_file()))
}

/// What `script` writes into `window.outcome`, in a frame that is so wide. `None` without a browser, which is said.
fn outcome(folder: &Path, html: &str, width: usize, script: &str) -> Option<Value> {
    let Some(program) = browser() else {
        eprintln!("skipped: no Chromium or Chrome is on the path; OREAL_BROWSER can name one");
        return None;
    };
    let quoted = html.replace('&', "&amp;").replace('"', "&quot;");
    let wrapper = format!(
        "<!doctype html><iframe id=\"frame\" width=\"{width}\" height=\"900\" style=\"border:0\" srcdoc=\"{quoted}\"></iframe><pre \
         id=\"outcome\"></pre><script>frame.onload = () => {{ const window = frame.contentWindow, document = frame.contentDocument; \
         try {{ window.outcome = (() => {{ {script} }})(); }} catch (problem) {{ window.outcome = {{ problem: String(problem) }}; }} \
         outcome.textContent = JSON.stringify(window.outcome); }};</script>"
    );
    let file = folder.join("wrapper.html");
    fs::write(&file, wrapper).unwrap();
    let mut command = Command::new(program);
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--virtual-time-budget=3000",
    ]);
    command.arg(format!("--user-data-dir={}", folder.join("profile").display())).arg("--dump-dom").arg(&file);
    let printed = fs::File::create(folder.join("printed.html")).unwrap();
    let mut child = command.stdout(printed).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(90) {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the browser did not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let printed = Page::parse(&fs::read_to_string(folder.join("printed.html")).unwrap());
    let text = printed.texts("pre#outcome").concat();
    Some(serde_json::from_str(&text).unwrap_or_else(|problem| panic!("{problem}: {text}")))
}

const DRIVE: &str = include_str!("drive.js");

#[test]
fn the_page_works_by_keyboard_and_pointer() {
    let parent = tempfile::tempdir().unwrap();
    let html = page(&run(parent.path(), "oreal", 3));
    let Some(found) = outcome(parent.path(), &html, 1200, DRIVE) else { return };
    let text = |name: &str| found[name].as_str().unwrap_or_else(|| panic!("{name}: {found}")).to_owned();
    assert_eq!(text("first"), "#answer", "the first thing to reach is the link past the head");
    assert_ne!(found["themes"][0], found["themes"][1]);
    assert!(text("home").starts_with("step 0: ") && text("next").starts_with("step 1: "), "{found}");
    assert_eq!(text("left"), text("summary"), "{found}");
    assert!(found["tokens"].as_u64() > Some(5), "{found}");
    for word in ["reward", "advantage", "baseline", "denominator", "dL/d logp"] {
        assert!(text("told").contains(word), "{word}: {found}");
    }
    assert_eq!((&found["second"], &found["below"]), (&Value::from(1), &Value::from(true)), "{found}");
    assert_eq!(found["groups"], serde_json::json!(["2", "1"]), "{found}");
    assert_eq!(found["recoloured"], true, "{found}");
    assert!(found["math"].as_f64() > Some(20.0), "the formula is drawn: {found}");
}

#[test]
fn no_page_is_wider_than_a_phone() {
    let parent = tempfile::tempdir().unwrap();
    let script = "return { width: document.documentElement.scrollWidth, wide: [...document.querySelectorAll('body *')].filter((e) => \
                  e.getBoundingClientRect().right > 376 && !e.closest('.scroll, .math, pre')).slice(0, 5).map((e) => e.outerHTML.slice(0, 90)) };";
    for folder in [run(parent.path(), "oreal", 3), comparison(parent.path())] {
        let Some(found) = outcome(parent.path(), &page(&folder), 375, script) else { return };
        assert!(found["width"].as_u64() <= Some(375), "{}: {found}", folder.display());
    }
}
