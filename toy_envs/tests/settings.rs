//! Settings as they stand in configuration files.

mod list;

use list::environments;
use oreal_toy_envs::{
    Addition, Bandit, BuiltIn, Chain, Countdown, Message, Modular, Prompt, Speaker, addition, modular,
};

fn error(settings: &str) -> String {
    match toml::from_str::<BuiltIn>(settings) {
        Ok(env) => panic!("{settings:?} was read as {env:?}"),
        Err(error) => error.message().to_owned(),
    }
}

#[test]
fn settings_survive_a_round_trip() {
    for env in environments() {
        let text = toml::to_string(&env).unwrap();
        assert!(text.contains(&format!("name = \"{}\"", env.name())), "{text}");
        assert_eq!(toml::from_str::<BuiltIn>(&text).as_ref(), Ok(&env), "{text}");
    }
}

#[test]
fn a_name_alone_means_the_defaults() {
    for (name, default) in BuiltIn::NAMES.iter().zip(BuiltIn::all()) {
        assert_eq!(toml::from_str::<BuiltIn>(&format!("name = '{name}'")), Ok(default));
    }
}

#[test]
fn an_unknown_name_is_answered_with_the_names() {
    let message = error("name = 'subtraction'");
    for name in BuiltIn::NAMES.iter().chain(&["subtraction"]) {
        assert!(message.contains(name), "{name} is not in {message:?}");
    }
    assert!(error("digits = 2").contains("name"));
}

#[test]
fn an_unknown_key_is_named_beside_the_known() {
    for env in BuiltIn::all() {
        let settings = toml::to_string(&env).unwrap();
        let message = error(&format!("{settings}wheels = 4"));
        let keys = settings.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key);
        for key in keys.filter(|key| *key != "name").chain(["wheels"]) {
            assert!(message.contains(key), "{}: {key} is not in {message:?}", env.name());
        }
    }
}

#[test]
fn an_illegal_value_is_named_with_its_key_and_what_is_legal() {
    for (settings, message) in [
        ("name = 'bandit'\nprobabilities = []", "probabilities must be at least one, got none"),
        ("name = 'bandit'\nprobabilities = [0.5, 1.0]", "probabilities must be strictly between 0 and 1, got 1"),
        ("name = 'bandit'\nprobabilities = [nan]", "probabilities must be strictly between 0 and 1, got NaN"),
        ("name = 'bandit'\nquestions = 0", "questions must be from 1 to 1000, got 0"),
        ("name = 'bandit'\nquestions = 1001", "questions must be from 1 to 1000, got 1001"),
        ("name = 'addition'\ndigits = 0", "digits must be from 1 to 9, got 0"),
        ("name = 'addition'\ndigits = -3", "digits must be from 1 to 9, got -3"),
        ("name = 'addition'\ndigits = 4294967297", "digits must be from 1 to 9, got 4294967297"),
        ("name = 'modular'\nmodulus = 1", "modulus must be from 2 to 1000000, got 1"),
        ("name = 'chain'\nterms = 10", "terms must be from 2 to 9, got 10"),
        ("name = 'chain'\ndigits = 3", "digits must be from 1 to 2, got 3"),
        ("name = 'countdown'\nnumbers = 5", "numbers must be from 2 to 4, got 5"),
        ("name = 'countdown'\nlargest = 100", "largest must be from 2 to 99, got 100"),
    ] {
        assert_eq!(error(settings).trim_end(), message);
    }
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_its_key() {
    for (name, key) in [
        ("bandit", "probabilities"),
        ("bandit", "questions"),
        ("addition", "digits"),
        ("addition", "order"),
        ("modular", "modulus"),
        ("modular", "operation"),
        ("chain", "terms"),
        ("chain", "digits"),
        ("countdown", "numbers"),
        ("countdown", "largest"),
    ] {
        let message = error(&format!("name = '{name}'\n{key} = 'sideways'"));
        assert!(message.contains(key) && message.contains("sideways"), "{name}, {key}: {message:?}");
    }
}

#[test]
fn settings_in_code_are_held_to_the_same() {
    assert_eq!(
        Bandit::new(vec![0.0], 1).unwrap_err().to_string(),
        "probabilities must be strictly between 0 and 1, got 0"
    );
    let addition = Addition::new(10, addition::Order::default());
    assert_eq!(addition.unwrap_err().to_string(), "digits must be from 1 to 9, got 10");
    let modular = Modular::new(0, modular::Operation::Add);
    assert_eq!(modular.unwrap_err().to_string(), "modulus must be from 2 to 1000000, got 0");
    assert_eq!(Chain::new(1, 1).unwrap_err().to_string(), "terms must be from 2 to 9, got 1");
    assert_eq!(Countdown::new(3, 1).unwrap_err().to_string(), "largest must be from 2 to 99, got 1");
    assert_eq!(Countdown::new(3, 9), Ok(Countdown::default()));
}

#[test]
fn errors_have_a_key_and_a_problem() {
    let error = Addition::new(10, addition::Order::default()).unwrap_err();
    assert_eq!((error.key.as_str(), error.problem.as_str()), ("digits", "must be from 1 to 9, got 10"));
}

#[test]
fn prompts_are_read_as_they_are_written() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Problems {
        prompts: Vec<Prompt>,
    }
    let chat = vec![Message { role: Speaker::User, content: "What is 2+2?".into() }];
    let problems = Problems { prompts: vec!["2+2=".into(), chat.into()] };
    let text = toml::to_string(&problems).unwrap();
    assert_eq!(text.trim(), r#"prompts = ["2+2=", [{ role = "user", content = "What is 2+2?" }]]"#);
    assert_eq!(toml::from_str::<Problems>(&text), Ok(problems));
}

#[test]
fn speakers_are_named_as_in_chat_templates() {
    for (speaker, name) in [(Speaker::System, "system"), (Speaker::User, "user"), (Speaker::Assistant, "assistant")] {
        assert_eq!(speaker.name(), name);
        let message: Message = toml::from_str(&format!("role = '{name}'\ncontent = 'Hello.'")).unwrap();
        assert_eq!(message.role, speaker);
    }
}
