//! Every exact claim comes out as recorded, and its control is violated.

use oreal::claims;

#[test]
fn every_claim_is_as_recorded_and_its_control_is_violated() {
    for claim in claims::all().into_iter().filter(|claim| !claim.is_empirical()) {
        let finding = claim.find(&mut |_| {}).unwrap_or_else(|problem| panic!("{}: {problem}", claim.name));
        let found = &finding.evidence;
        println!(
            "{:24} {:?} off {:.2e} rest {:.2e} control {:?} off {:.2e} rest {:.2e}  {:.2} s",
            claim.name,
            finding.verdict,
            found.off(),
            found.remainder(),
            finding.control.verdict(),
            finding.control.off(),
            finding.control.remainder(),
            finding.seconds
        );
        assert!(found.supports(claim.recorded), "{}: {:?}, {:#?}", claim.name, finding.verdict, found.worst());
        assert!(finding.as_recorded, "{}: its control is not violated", claim.name);
    }
}
