//! Every exact claim comes out as recorded, and its control is violated.

use oreal::claims;

#[test]
fn every_exact_claim_is_as_recorded_and_its_control_is_violated() {
    let mut wrong = Vec::new();
    for claim in claims::all().into_iter().filter(|claim| !claim.is_empirical()) {
        let finding = claim.find(&mut |_| {}).unwrap_or_else(|problem| panic!("{}: {problem}", claim.name));
        let (found, control) = (&finding.evidence, &finding.control);
        println!(
            "{:24} {:28} off {:8.1e} exactly {:8.1e}  control {:28} off {:8.1e} exactly {:8.1e} {:6.2} s",
            claim.name,
            finding.verdict,
            found.off(),
            found.remainder(),
            control.verdict(),
            control.off(),
            control.remainder(),
            finding.seconds
        );
        if !found.supports(claim.recorded) {
            wrong.push(format!("{}: {}, with {:?}", claim.name, finding.verdict, found.worst()));
        }
        if control.supports(claim.recorded) {
            wrong.push(format!("{}: its control is not violated", claim.name));
        }
        assert_eq!(finding.as_recorded, found.supports(claim.recorded) && !control.supports(claim.recorded));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
