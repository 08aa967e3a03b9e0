//! A comparison over seeds is an ablation.

use super::*;

#[test]
fn a_comparison_over_seeds_has_the_same_statistics() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("compare.toml");
    let variants = "[[variants]]\nlabel = \"fast\"\nalgorithm = \"rloo\"\nset = [\"rates.policy=0.3\"]\n";
    fs::write(&file, format!("{FILE}{variants}")).unwrap();
    let (file, out) = (file.display().to_string(), parent.path().join("out").display().to_string());
    let compare = |more: &[&str]| {
        let arguments = ["oreal", "compare", &file, "--algorithms", "rloo,rft", "--quiet", "--out", &out];
        Catalogue::built_in().run(&[&arguments, more].concat())
    };
    let printed = compare(&["--seeds", "2"]).unwrap();
    let folder = parent.path().join("out/compare-bandit-1");
    let results = json(&folder.join("results.json"));
    for (number, label) in ["rloo", "rft", "fast"].into_iter().enumerate() {
        assert!(printed.contains(label) && results["variants"][number]["label"] == label, "{printed}");
        assert!(folder.join(label).join("seed-4/report.json").exists());
    }
    let resumed = folder.display().to_string();
    Catalogue::built_in().run(&["oreal", "ablate", "--quiet", "--resume", &resumed]).unwrap();
    assert_eq!(json(&folder.join("results.json")), results);
    // With one seed a comparison is as it was: folders without seeds, one table.
    let printed = compare(&[]).unwrap();
    let folder = parent.path().join("out/compare-bandit-2");
    let reports = json(&folder.join("report.json"));
    for (number, label) in ["rloo", "rft", "fast"].into_iter().enumerate() {
        let report = json(&folder.join(label).join("report.json"));
        assert!(reports[number]["algorithm"] == label && printed.contains(label), "{printed}");
        // The same run as the first seed of the comparison over seeds.
        let same = json(&parent.path().join("out/compare-bandit-1").join(label).join("seed-3/report.json"));
        assert!(report["after"] == same["after"] && report["before"] == same["before"], "{label}");
    }
    assert!(compare(&["--seeds", "0"]).unwrap_err().to_string().contains("--seeds"));
}
