//! Folders that are broken, half written, or somebody's attack.

use std::fs;

use serde_json::json;

use crate::folders::{by_hand, metrics};
use crate::{check, page};

const ATTACK: &str = "</script><img src=x onerror=alert(1)><b>\u{202e}rtl\u{0}";

#[test]
fn nothing_that_a_run_says_is_markup() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("<i>run</i> & 'co'");
    by_hand(
        &folder,
        1,
        60,
        &[json!({ "step": 0, ATTACK: 1.0 }), json!({ "step": 1, ATTACK: 2.0, "terms": { ATTACK: 1 } })],
    );
    let tokens: Vec<u64> = (0..4).collect();
    let transcript = json!({ "step": 0, "prompt": ATTACK, "answer": ATTACK, "completion": ATTACK, "verdict": ATTACK, "reward": 0.0,
        "kept": true, "tokens": tokens, "pieces": [ATTACK, "\u{1b}[31m", "", "\u{200b}"], "advantage": [1.0, null, -2.0, 0.0],
        "columns": { ATTACK: [1, 2, 3, 4] }, "parts": [{ "of": ATTACK, "kind": ATTACK, "expression": ATTACK, "level": ATTACK, "value": 1 }] });
    fs::write(folder.join("transcripts.jsonl"), format!("{transcript}\n")).unwrap();
    let sentinel = json!({ "what": ATTACK, "severity": ATTACK, "evidence": ATTACK });
    fs::write(folder.join("sentinels.jsonl"), format!("{sentinel}\n")).unwrap();
    let manifest = json!({ "seed": 1, "env": { "name": ATTACK }, "algorithm": ATTACK, "notices": [ATTACK], "objective": [ATTACK],
        "mathml": { "credit": "<math display=\"block\"><mi onclick=\"x\">A</mi></math>", "objective": "<script>alert(1)</script>" } });
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    fs::write(folder.join("results.json"), json!({ ATTACK: [{ ATTACK: ATTACK }] }).to_string()).unwrap();
    fs::write(folder.join("config.toml"), "").unwrap();

    let html = page(&folder);
    let page = check(&html);
    assert_eq!(page.texts("script").len(), 2, "the data and the script of the page");
    assert_eq!(page.texts("math").len(), 0, "a formula with foreign elements is not typeset");
    assert!(page.texts("#formula pre").iter().any(|text| text.contains("<img src=x")), "but its lines are printed");
    assert!(!html.contains('\u{202e}') && !html.contains('\u{0}') && !html.contains('\u{200b}'), "nothing is hidden");
    assert!(html.contains("⟨U+202E⟩"), "and it is told");
    assert!(page.texts(".command")[0].contains("'\\''co'\\''"), "{:?}", page.texts(".command"));
    let data: serde_json::Value = serde_json::from_str(&page.texts("script#data")[0]).unwrap();
    let shown = &data["transcripts"][0]["completions"][0]["tokens"];
    assert_eq!(shown[1], "␛[31m");
    assert_eq!((&shown[2], &shown[3]), (&json!("⟨2⟩"), &json!("⟨U+200B⟩")));
}

#[test]
fn sizes_are_bounded() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("run");
    by_hand(&folder, 1, 60, &metrics(3000, 0.0));
    let long = "x".repeat(2 << 20);
    let values = vec![0.123456789; 5000];
    let line = |step: usize| {
        json!({ "step": step, "prompt": long, "answer": "1", "completion": long, "verdict": "Wrong", "reward": 0.0, "kept": true,
                "tokens": vec![1; 5000], "pieces": vec!["long"; 5000], "advantage": values, "columns": { "logp": values } })
            .to_string()
    };
    let lines: Vec<String> = (0..4).flat_map(|step| vec![line(step); 3]).collect();
    fs::write(folder.join("transcripts.jsonl"), lines.join("\n")).unwrap();
    let html = page(&folder);
    check(&html);
    assert!(html.len() < 3 << 20, "{} bytes", html.len());
    assert!(html.contains("more characters)") && html.contains("\"left_out\":4400"), "what is left out is told");
}

#[test]
fn a_run_that_was_killed_is_shown_as_far_as_it_got() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("run");
    by_hand(&folder, 1, 60, &metrics(20, 0.0));
    fs::remove_file(folder.join("report.json")).unwrap();
    let path = folder.join("metrics.jsonl");
    let mut bytes = fs::read(&path).unwrap();
    bytes.truncate(bytes.len() - 30);
    bytes.extend_from_slice(b"\n\xff\xfe\nnull\n[1]\n");
    fs::write(&path, bytes).unwrap();
    let page = check(&page(&folder));
    assert!(page.texts(".headline")[0].starts_with("Not finished: 19 steps of 20"), "{:?}", page.texts(".headline"));
    assert_eq!(page.texts(".headline")[1], "Some data is missing");
    assert!(page.texts("#flagged li")[0].contains("4 lines could not be read"), "{:?}", page.texts("#flagged li"));
    assert!(page.texts("figcaption").contains(&"Pass rate of rollouts, %".to_owned()));
}

#[test]
fn files_that_are_no_json_are_told() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("run");
    by_hand(&folder, 1, 60, &metrics(5, 0.0));
    for (name, text) in [("report.json", "{"), ("results.json", "[[[["), ("manifest.json", "\u{0}")] {
        fs::write(folder.join(name), text).unwrap();
    }
    let page = check(&page(&folder));
    let told = page.texts("#flagged li").join("\n");
    for name in ["report.json", "results.json", "manifest.json"] {
        assert!(told.contains(name), "{told}");
    }
}
