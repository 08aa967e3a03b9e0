//! Every algorithm's printed formula, as a file that is reviewed.

use oreal::algos::BuiltIn;

#[test]
fn printed_formulas_are_the_reviewed_ones() {
    for (name, preset, algorithm) in BuiltIn::all() {
        insta::with_settings!({ snapshot_path => "formulas", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("{name}-{preset}"), oreal::show::formula(&*algorithm));
        });
    }
}
