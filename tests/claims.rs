//! Every exact claim comes out as recorded, and its control is violated.

use oreal::claims;

#[test]
fn every_exact_claim_is_as_recorded_and_its_control_is_violated() {
    let mut wrong = Vec::new();
    for claim in claims::all().into_iter().filter(|claim| !claim.is_empirical()) {
        let finding = claim.find(&mut |_| {}).unwrap_or_else(|problem| panic!("{}: {problem}", claim.name));
        let (found, control) = (&finding.evidence, &finding.violation);
        if !found.supports(claim.recorded) {
            wrong.push(format!("{}: {}, {:#?}", claim.name, finding.verdict, found));
        }
        if control.supports(claim.recorded) {
            wrong.push(format!("{}: its control is not violated", claim.name));
        }
        assert_eq!(finding.as_recorded, found.supports(claim.recorded) && !control.supports(claim.recorded));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
