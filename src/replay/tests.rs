use std::io::Write;

use oreal_algos::{Average, Batch, Dpo, Experience, Grpo, Kl, Layout, Objective, Ppo, Rloo, Scale, minimise};
use tempfile::NamedTempFile;

use super::*;

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn replayed(text: &str, algorithms: Vec<(&str, Box<dyn Algorithm>)>) -> Result<Replay> {
    let named: Vec<Named> =
        algorithms.into_iter().map(|(name, algorithm)| (name.to_owned(), Arc::from(algorithm))).collect();
    replay(&Recording::open(file(text).path())?, &named, 0)
}

fn refusal(text: &str) -> String {
    let problem = replayed(text, vec![("grpo", Box::new(off_reference()))]).unwrap_err().to_string();
    problem.split_once(", ").or(problem.split_once(": ")).map_or(problem.clone(), |(_, rest)| rest.to_owned())
}

fn off_reference() -> Grpo {
    Grpo { beta: 0.0.into(), ..Grpo::default() }
}

/// The batch of docs/differences.md.
const FOUR: &str = "\
{\"group\":1,\"reward\":1,\"old_logp\":[-1,-1,-1,-1]}
{\"group\":1,\"reward\":0,\"old_logp\":[-1,-1,-1,-1,-1,-1,-1,-1]}
{\"group\":1,\"reward\":0,\"old_logp\":[-1,-1,-1,-1,-1,-1,-1,-1]}
{\"group\":1,\"reward\":0,\"old_logp\":[-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1]}
";

#[test]
fn frameworks_differ_by_the_factors_of_their_table() {
    let dialect = |name: &str| -> Box<dyn Algorithm> {
        Box::new(oreal_algos::dialects().into_iter().find(|dialect| dialect.name == name).unwrap().algorithm)
    };
    let names = ["trl_1_16", "verl", "trl_1_16_grpo", "prime_rl"];
    let replay = replayed(FOUR, names.map(|name| (name, dialect(name))).into()).unwrap();
    assert_eq!(replay.counts, Counts { batches: 1, groups: 1, completions: 4, tokens: 32 });
    assert!((replay.completions[0].coefficients[0][0] - 0.0469).abs() < 5e-5, "{:?}", replay.completions[0]);
    let [verl, by_trajectory, centred] = &replay.compared[..] else { panic!("{:?}", replay.compared) };
    let factors = |c: &Compared| [c.least.unwrap().factor, c.greatest.unwrap().factor];
    assert!(factors(verl).iter().all(|factor| (factor - 0.5001 / 0.500001).abs() < 1e-9), "{verl:?}");
    let [least, greatest] = factors(by_trajectory);
    assert!((least - 32.0 / 48.0).abs() < 1e-12 && (greatest - 2.0).abs() < 1e-12, "{by_trajectory:?}");
    assert_eq!((by_trajectory.least.unwrap().line, by_trajectory.greatest.unwrap().line), (4, 1));
    assert!(factors(centred).iter().all(|factor| (factor - 0.5001).abs() < 1e-12), "{centred:?}");
    assert_eq!(replay.notes, ["no `logp`: every ratio is 1, as at a step's first update"]);
    let text = page(&replay);
    assert!(text.contains("0.6667 (line 4, token 1) to 2 (line 1, token 1) times as large on 32 tokens"), "{text}");
    assert!(text.contains("prime_rl against trl_1_16: 0.5001 times as large on 32 tokens"), "{text}");
}

/// Every column is read from the file, and the coefficient is the negated cotangent.
#[test]
fn coefficients_are_those_of_the_update() {
    let text = "\
{\"step\":0,\"prompt\":\"a\",\"reward\":1,\"tokens\":[5,6],\"logp\":[-1.5,-0.5],\"old_logp\":[-1,-1],\"ref_logp\":[-2,-0.1]}
{\"step\":0,\"prompt\":\"b\",\"reward\":0.25,\"tokens\":[5],\"logp\":[-0.7],\"old_logp\":[-1],\"ref_logp\":[-1]}
{\"step\":1,\"prompt\":\"a\",\"reward\":0,\"tokens\":[7],\"logp\":[-0.7],\"old_logp\":[-0.6],\"ref_logp\":[-1]}
{\"step\":0,\"prompt\":\"a\",\"reward\":0,\"tokens\":[5,8,9],\"logp\":[-1,-2,-3],\"old_logp\":[-1.1,-2.5,-2],\"ref_logp\":[-1,-1,-1]}
";
    let grpo = Grpo { kl: Kl::K3Corrected, ..Grpo::default() };
    let replay = replayed(text, vec![("grpo", Box::new(grpo.clone()))]).unwrap();
    let x = Experience::new(Layout::new(&[vec![2, 3], vec![1]]).unwrap());
    let columns = [
        (Column::REWARD, vec![1.0, 0.0, 0.25]),
        (Column::LOGP, vec![-1.5, -0.5, -1.0, -2.0, -3.0, -0.7]),
        (Column::OLD_LOGP, vec![-1.0, -1.0, -1.1, -2.5, -2.0, -1.0]),
        (Column::REF_LOGP, vec![-2.0, -0.1, -1.0, -1.0, -1.0, -1.0]),
    ];
    let x = columns.into_iter().fold(x, |x, (column, values)| x.with(column, values).unwrap());
    let x = x.clone().with(Column::ADVANTAGE, credit_of(&grpo).evaluate(&x)).unwrap();
    let expected: Vec<f64> = grpo.objective().evaluate(&x).cotangents[&Column::LOGP].iter().map(|g| -g).collect();
    let of_line = |line: u64| &replay.completions.iter().find(|c| c.line == line).unwrap().coefficients[0];
    assert_eq!([of_line(1).as_slice(), of_line(4), of_line(2)].concat(), expected, "two groups of one batch");
    assert_eq!(replay.completions.iter().map(|c| c.line).collect::<Vec<_>>(), [1, 2, 3, 4], "in the order of the file");
    assert_eq!(replay.counts, Counts { batches: 2, groups: 3, completions: 4, tokens: 7 });
    assert!(replay.notes.is_empty(), "{:?}", replay.notes);
}

#[test]
fn what_a_trainer_recorded_is_compared_with_each_algorithm() {
    let recorded = |change: fn(usize, f64) -> f64| -> String {
        let rows = replayed(FOUR, vec![("rloo", Box::new(Rloo { average: Average::Token }))]).unwrap().completions;
        let line = |(row, line): (&Completion, &str)| {
            let values: Vec<f64> = row.coefficients[0].iter().enumerate().map(|(t, c)| change(t, *c)).collect();
            format!("{},\"coefficient\":{values:?}}}\n", line.trim_end_matches('}'))
        };
        rows.iter().zip(FOUR.lines()).map(line).collect()
    };
    let compare = |change| {
        let algorithms: Vec<(&str, Box<dyn Algorithm>)> = vec![
            ("rloo", Box::new(Rloo { average: Average::Token })),
            ("centred", Box::new(Grpo { scale: Scale::One, average: Average::Token, ..off_reference() })),
        ];
        replayed(&recorded(change), algorithms).unwrap()
    };
    let exact = compare(|_, c| c * (1.0 + 1e-6));
    assert_eq!(exact.algorithms.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), [RECORDED, "rloo", "centred"]);
    assert!(exact.compared[0].same && !exact.compared[1].same, "{:?}", exact.compared);
    assert!(page(&exact).contains("rloo against recorded: the same coefficients"), "{}", page(&exact));
    assert!(page(&exact).contains("centred against recorded: 0.75 times as large on 32 tokens"), "{}", page(&exact));
    let shifted = compare(|token, c| if token == 2 { 0.0 } else { c * if token == 1 { 2.0 } else { 1.0 } });
    let Compared { tokens, only_here, only_there, same, least, .. } = &shifted.compared[0];
    assert_eq!((*tokens, *only_here, *only_there, *same), (28, 4, 0, false));
    assert_eq!((least.unwrap().line, least.unwrap().token), (1, 2));
}

#[test]
fn what_is_missing_is_said_for_the_algorithm_that_needs_it() {
    let replay = replayed(FOUR, vec![("ppo", Box::new(Ppo::default())), ("rloo", Box::new(Rloo::default()))]).unwrap();
    assert_eq!(replay.refused, ["ppo reads `value`, which the critic reports: the file has no `value`"]);
    assert_eq!(replay.algorithms.len(), 1);
    let problem = replayed(FOUR, vec![("grpo", Box::new(Grpo::default()))]).unwrap_err().to_string();
    assert!(
        problem.ends_with("grpo reads `ref_logp`, which the reference reports: the file has no `ref_logp`"),
        "{problem}"
    );
    let bare = "{\"group\":1,\"reward\":1,\"tokens\":[1]}\n{\"group\":1,\"reward\":0,\"tokens\":[2,3]}\n";
    let replay = replayed(bare, vec![("grpo", Box::new(off_reference()))]).unwrap();
    assert_eq!(replay.notes, ["no log-probabilities: every ratio is 1, as at a step's first update"]);
}

#[test]
fn a_file_that_cannot_be_right_is_refused_by_its_line() {
    let good = "{\"group\":1,\"reward\":1,\"old_logp\":[-1]}\n";
    for (line, message) in [
        ("{\"reward\":1,\"old_logp\":[-1]}", "line 2: neither `group` nor `prompt`"),
        ("{\"group\":1,\"reward\":1}", "line 2: neither `tokens` nor a list with a number for each token"),
        ("{\"group\":1,\"reward\":1,\"old_logp\":[]}", "line 2: field `old_logp`: a completion without tokens"),
        (
            "{\"group\":1,\"reward\":1,\"old_logp\":7}",
            "line 2: field `old_logp`: not a list with an item for each token",
        ),
        ("{\"group\":1,\"old_logp\":[-1]}", "line 2: no field `reward`"),
        ("{\"group\":1,\"reward\":\"x\",\"old_logp\":[-1]}", "line 2: field `reward`: \"x\" is no number"),
        ("{\"group\":1,\"reward\":1,\"tokens\":[1]}", "line 2: no field `old_logp`"),
        (
            "{\"group\":1,\"reward\":1,\"tokens\":[1,2],\"old_logp\":[-1]}",
            "line 2: field `old_logp`: 1 numbers for 2 tokens",
        ),
        (
            "{\"group\":1,\"reward\":1,\"tokens\":[1],\"old_logp\":[null]}",
            "line 2: field `old_logp`: not a list of numbers",
        ),
        ("[1]", "line 2: not a JSON object"),
    ] {
        let found = refusal(&format!("{good}{line}\n"));
        assert!(found.starts_with(message), "{line}: {found}");
    }
    assert!(refusal("").starts_with("no completions"), "{}", refusal(""));
}

#[test]
fn an_algorithm_that_selects_has_coefficients_of_what_it_keeps() {
    let text = FOUR.replace("}\n", ",\"ref_logp\":[X]}\n");
    let text: String = text
        .lines()
        .map(|line| {
            let tokens = line.matches("-1").count();
            format!("{}\n", line.replace('X', &vec!["-1.5"; tokens].join(",")))
        })
        .collect();
    let replay = replayed(&text, vec![("dpo", Box::new(Dpo::default()))]).unwrap();
    let learnt = |c: &&Completion| c.coefficients[0].iter().all(|c| *c != 0.0);
    assert_eq!(replay.completions.iter().filter(learnt).count(), 2, "one right and one wrong answer");
    assert!(replay.completions[0].coefficients[0].iter().all(|c| *c > 0.0));
}

#[test]
fn a_coefficient_that_is_not_finite_names_the_part_of_the_formula() {
    #[derive(Debug)]
    struct Inverse;
    impl Algorithm for Inverse {
        fn name(&self) -> &str {
            "inverse"
        }
        fn credit<'g>(
            &self,
            x: oreal_algos::Data<'g>,
        ) -> oreal_algos::Expr<'g, oreal_algos::Token, oreal_algos::Frozen> {
            x.number(1.0)
        }
        fn objective(&self) -> Box<dyn Objective> {
            minimise(|x| (x.logp() / x.reward()).named("quotient").mean::<Batch>())
        }
    }
    let problem = replayed(FOUR, vec![("inverse", Box::new(Inverse))]).unwrap_err().to_string();
    assert!(problem.contains("inverse: `quotient"), "{problem}");
}
