//! The page about recorded runs: whole, safe, readable, and driven in a browser where there is one.

mod browser;
mod contrast;
mod dom;
mod folders;
mod hostile;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use dom::Page;
use folders::{comparison, run};
use oreal::Catalogue;

/// The page of a folder, as `oreal report` writes it.
fn page(folder: &Path) -> String {
    let said = Catalogue::built_in().run(&["oreal", "report", folder.to_str().unwrap()]).unwrap();
    assert!(said.contains("report.html"), "{said}");
    fs::read_to_string(folder.join("report.html")).unwrap()
}

/// Refuses what refers to anything outside the page, and ids that come twice.
fn check(html: &str) -> Page {
    let page = Page::parse(html);
    let mut ids = BTreeSet::new();
    for element in &page.0 {
        let name = &element.name;
        for attribute in ["src", "srcset", "action", "formaction", "poster", "background", "xlink:href"] {
            assert_eq!(element.attribute(attribute), None, "<{name} {attribute}>");
        }
        let loads = ["link", "iframe", "object", "embed", "base", "form", "img"];
        assert!(!loads.contains(&name.as_str()), "<{name}>");
        assert!(element.attribute("href").is_none_or(|href| href.starts_with('#')), "<{name} href>");
        assert!(!element.attributes().any(|attribute| attribute.starts_with("on")), "<{name}> has a handler");
        let id = element.attribute("id");
        assert!(id.is_none_or(|id| ids.insert(id.to_owned())), "id {id:?} comes twice");
    }
    for link in page.find("a").iter().filter_map(|a| a.attribute("href")) {
        assert!(ids.contains(&link[1..]), "{link} leads nowhere");
    }
    let style: String = page.texts("style").concat();
    assert!(!style.contains("url(") && !style.contains("@import"), "the style sheet loads something");
    let policy = page.find("meta").into_iter().find(|meta| meta.attribute("http-equiv").is_some()).unwrap();
    assert!(policy.attribute("content").unwrap().starts_with("default-src 'none'"));
    page
}

#[test]
fn a_run_writes_its_page_at_its_end() {
    let parent = tempfile::tempdir().unwrap();
    let folder = run(parent.path(), "oreal", 3);
    let written = fs::read_to_string(folder.join("report.html")).unwrap();
    let page = check(&written);
    assert_eq!(page.texts("h1"), ["oreal/released on addition"]);
    let cards = page.texts(".card h2");
    assert_eq!(cards, ["Did it learn?", "Is anything wrong?"]);
    assert!(page.texts(".headline").iter().all(|headline| !headline.is_empty()));
    for section in ["results", "curves", "formula", "transcripts", "timings", "again"] {
        assert_eq!(page.texts(&format!("section#{section} h2")).len(), 1, "{section}");
    }
    let charts = page.texts("figcaption");
    for title in ["Pass rate of rollouts, %", "Term of the loss: confidence", "Gradient norm: reward_model"] {
        assert!(charts.iter().any(|chart| chart == title), "{title} is not in {charts:?}");
    }
    assert_eq!(page.texts(".math math").len(), 3, "credit, objective, settings");
    assert!(page.texts(".command")[0].starts_with("oreal train "));
    let parts = written.split("\"kind\":\"weight\"").count();
    assert!(parts > 3, "transcripts tell the weights of tokens");
}

#[test]
fn a_run_without_a_page_has_none() {
    let parent = tempfile::tempdir().unwrap();
    let folder = folders::run_with(parent.path(), "rft", 1, "record.report=false");
    assert!(folder.join("report.json").exists() && !folder.join("report.html").exists());
}

#[test]
fn a_comparison_is_one_page() {
    let parent = tempfile::tempdir().unwrap();
    let html = page(&comparison(parent.path()));
    let page = check(&html);
    let labels = page.texts("#results tbody th");
    assert_eq!(labels, ["grpo", "rft-default"]);
    assert!(page.texts(".headline")[0].ends_with("of 2 variants clearly learned"), "{html}");
    let rows = page.texts("#results tbody tr");
    assert!(rows[0].contains("65.0 [") && rows[0].contains('3'), "mean over three seeds: {}", rows[0]);
    assert_eq!(page.texts("#flagged li.bad").len(), 1, "a sentinel is in plain view");
    assert!(page.texts("#results h3").contains(&"variants".to_owned()), "results.json has its table");
    let bands = page.find("path.band").len();
    assert!(bands >= 1, "seeds have a band");
}

#[test]
fn several_folders_are_one_page() {
    let parent = tempfile::tempdir().unwrap();
    let folder = comparison(parent.path());
    let out = parent.path().join("both.html");
    let arguments = [folder.join("grpo").join("seed-1"), folder.join("rft-default"), out.clone()];
    let [a, b, out_text] = arguments.each_ref().map(|path| path.to_str().unwrap());
    Catalogue::built_in().run(&["oreal", "report", a, b, "--out", out_text]).unwrap();
    let page = check(&fs::read_to_string(out).unwrap());
    assert_eq!(page.texts("#results tbody th"), ["seed-1", "rft-default"]);
}

#[test]
fn curves_are_written_as_pictures() {
    let parent = tempfile::tempdir().unwrap();
    let folder = comparison(parent.path());
    let plots = parent.path().join("plots");
    let arguments = ["oreal", "report", folder.to_str().unwrap(), "--plots", plots.to_str().unwrap()];
    let said = Catalogue::built_in().run(&arguments).unwrap();
    assert!(said.contains("2 curves in"), "{said}");
    let svg = fs::read_to_string(plots.join("pass_rate.svg")).unwrap();
    assert!(svg.contains("Pass rate of rollouts, %") && svg.contains("rft-default"), "title and legend");
    let png = fs::read(plots.join("pass_rate.png")).unwrap();
    let (size, [width, height]) = (&png[16..24], [1020_u32, 678]);
    assert!(
        png.starts_with(b"\x89PNG\r\n\x1a\n") && size == [width.to_be_bytes(), height.to_be_bytes()].concat(),
        "{size:?}"
    );
    let mut pixels = Vec::new();
    let length = u32::from_be_bytes(png[33..37].try_into().unwrap()) as usize;
    flate2::read::ZlibDecoder::new(&png[41..41 + length]).read_to_end(&mut pixels).unwrap();
    let rows: Vec<&[u8]> = pixels.chunks(1 + 3 * width as usize).collect();
    assert_eq!(rows.len(), height as usize);
    let inked = |rows: &[&[u8]]| rows.iter().flat_map(|row| row[1..].chunks(3)).filter(|pixel| pixel[0] < 128).count();
    assert!(inked(&rows[..54]) > 500, "the title is drawn: {}", inked(&rows[..54]));
    assert!(inked(&rows[110..600]) > 2000, "the curves are drawn: {}", inked(&rows[110..600]));
}

#[test]
fn what_is_no_run_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str]| Catalogue::built_in().run(arguments).unwrap_err().to_string();
    let folder = parent.path().to_str().unwrap();
    assert!(refused(&["oreal", "report", folder]).contains("holds no run"));
    assert!(refused(&["oreal", "report", &format!("{folder}/missing")]).contains("missing"));
    let run = comparison(parent.path());
    assert!(refused(&["oreal", "report", run.to_str().unwrap(), "--out", folder]).contains("is a folder"));
}
