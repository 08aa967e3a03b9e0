//! Columns, signals and roles of one's own.

mod common;

use common::batch;
use oreal_algos::{
    Algorithm, Column, Data, Expr, Frozen, Head, Level, Live, Objective, Output, Passes, Role, Source, Term, Token,
    Trajectory, check, credit_of, minimise,
};

const STYLE_MODEL: Role = Role::new("style_model", Head::Scalar);
const STYLE: Term<Token, Live> = Term::signal("style", "s", STYLE_MODEL, Output::Scalar);
const OLD_STYLE: Term<Token, Frozen> = Term::constant("old_style", "s_old", STYLE_MODEL, Output::Scalar);
const GRADE: Term<Trajectory, Frozen> = Term::data("grade", "g");

/// REINFORCE on the grade and on the old style; the style model learns the grade.
#[derive(Debug)]
struct Graded;

impl Algorithm for Graded {
    fn name(&self) -> &str {
        "graded"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        x.term(GRADE) + x.term(OLD_STYLE)
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| {
            let regression = (x.term(STYLE) - x.term(GRADE)).square();
            (regression - x.advantage() * x.logp()).mean()
        })
    }
}

#[test]
fn own_terms_are_read_and_differentiated_like_built_in_ones() {
    assert_eq!(check(&Graded), Ok(()));
    let x = batch(1).with(GRADE.column(), vec![0.5, 0.0, 1.0, 0.25, 0.0, 0.75, 1.0]).unwrap();
    let x = x.with(OLD_STYLE.column(), vec![2.0; 18]).unwrap().with(STYLE.column(), vec![3.0; 18]).unwrap();
    let credit = credit_of(&Graded);
    assert_eq!(
        (credit.formula().as_str(), &credit.evaluate(&x)[..5]),
        ("A = g + s_old\n", &[2.5, 2.5, 2.5, 2.0, 3.0][..])
    );
    let objective = Graded.objective();
    assert_eq!(objective.reads(), [Column::LOGP, Column::ADVANTAGE, GRADE.column(), STYLE.column()]);
    let cotangents = objective.evaluate(&x).cotangents;
    assert_eq!(cotangents.keys().copied().collect::<Vec<_>>(), [Column::LOGP, STYLE.column()]);
    assert_eq!(cotangents[&STYLE.column()][0], 2.0 * (3.0 - 0.5) / 18.0);
}

#[test]
fn own_columns_know_where_they_come_from() {
    let model = |live| Source::Model { role: STYLE_MODEL, output: Output::Scalar, live };
    assert_eq!((GRADE.column().source(), GRADE.column().level()), (Source::Data, Level::Trajectory));
    assert_eq!((STYLE.column().source(), STYLE.column().is_signal()), (model(true), true));
    assert_eq!((OLD_STYLE.column().source(), OLD_STYLE.column().is_signal()), (model(false), false));
    assert_eq!(STYLE.column().role(), Some(STYLE_MODEL));
}

/// An algorithm that reads one signal and one column of data, and makes so many epochs.
#[derive(Debug)]
struct Reads(Term<Token, Live>, Term<Trajectory, Frozen>, usize);

impl Algorithm for Reads {
    fn name(&self) -> &str {
        "reads"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        x.term(self.1).spread()
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| x.term(self.0).mean())
    }

    fn passes(&self) -> Passes {
        Passes { epochs: self.2, minibatches: 1 }
    }
}

#[test]
fn names_that_are_taken_and_heads_that_do_not_fit_are_refused() {
    let signal = |name, role| Term::<Token, Live>::signal(name, "x", role, Output::Scalar);
    let data = Term::<Trajectory, Frozen>::data;
    let vocabulary = Role::new("prior", Head::Vocabulary);
    let cases = [
        (Reads(STYLE, data("reward", "r"), 1), "`reward` is the name of two different columns"),
        (Reads(STYLE, data("style", "g"), 1), "`style` is the name of two different columns"),
        (Reads(STYLE, data("", "g"), 1), "`` is an empty name of a column"),
        (
            Reads(signal("x", Role::new("policy", Head::Scalar)), GRADE, 1),
            "`policy` is the name of two different roles",
        ),
        (Reads(signal("x", vocabulary), GRADE, 1), "`x` asks the role `prior` for Scalar, but its head is Vocabulary"),
        (
            Reads(Term::signal("x", "x", STYLE_MODEL, Output::Logp), GRADE, 1),
            "`x` asks the role `style_model` for Logp",
        ),
        (Reads(STYLE, GRADE, 0), "`passes` must have at least 1 epoch and 1 minibatch"),
    ];
    for (algorithm, message) in cases {
        let problem = check(&algorithm).unwrap_err().to_string();
        assert!(problem.starts_with(message), "{problem}");
    }
    assert_eq!(check(&Reads(STYLE, GRADE, 1)), Ok(()));
}
