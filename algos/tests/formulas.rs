//! The formula in an algorithm's documentation is the one that runs.
//!
//! `FORMULAS=overwrite cargo test -p oreal-algos --test formulas` writes them anew, to be read before they are committed.

use std::fs;
use std::path::Path;

use oreal_algos::{BuiltIn, credit_of};

/// Each preset's formula stands in its own block, in the order of the presets.
#[test]
fn documented_formulas_are_the_printed_ones() {
    for name in BuiltIn::NAMES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/{name}.rs"));
        let source = fs::read_to_string(&path).unwrap();
        let mut blocks = source.split("/// ```text\n");
        let mut written = blocks.next().unwrap_or_default().to_owned();
        for (preset, algorithm) in BuiltIn::presets(name) {
            let block = blocks.next().unwrap_or_else(|| panic!("{name}/{preset} documents no formula"));
            let end = block.find("/// ```\n").unwrap_or_else(|| panic!("{name}/{preset}: the block has no end"));
            let indent = &block[block[..end].rfind('\n').map_or(0, |newline| newline + 1)..end];
            let printed = format!("{}\n{}", credit_of(&*algorithm).formula(), algorithm.objective().formula());
            let mut expected = String::new();
            for (i, line) in printed.lines().enumerate() {
                expected += if i == 0 { "" } else { indent };
                expected += &format!("{}\n", format!("/// {line}").trim_end());
            }
            written += &format!("/// ```text\n{indent}{expected}{indent}{}", &block[end..]);
        }
        assert_eq!(blocks.next(), None, "{name}: a formula of no preset");
        if std::env::var_os("FORMULAS").is_some_and(|value| value == "overwrite") {
            fs::write(&path, written).unwrap();
        } else {
            assert_eq!(source, written, "{}", path.display());
        }
    }
}
