//! The algorithms of this crate, as a list. Adding one is its file and its line here.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::dialects::dialects;
use crate::{Cispo, Dpo, Gpg, Grpo, Gspo, Oreal, Ppo, Reinforce, ReinforcePlusPlus, Remax, Rft, Rloo, Sapo, VinePpo};

macro_rules! algorithms {
    ($($name:literal $variant:ident $about:literal { $($preset:literal $make:expr),+ })+) => {
        /// An algorithm of this crate with its settings, as in a configuration file: `name`, and the settings.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "name")]
        pub enum BuiltIn {
            $(#[doc = concat!("`", $name, "`: ", $about, ".")] #[serde(rename = $name)] $variant($variant),)+
        }

        impl BuiltIn {
            /// Every algorithm, by name.
            pub const NAMES: &[&str] = &[$($name),+];

            /// The named settings of an algorithm, the default first; none for an unknown name.
            pub fn presets(name: &str) -> Vec<(&'static str, BuiltIn)> {
                match name {
                    $($name => vec![$(($preset, BuiltIn::$variant($make))),+],)+
                    _ => Vec::new(),
                }
            }

            /// What it is, in a line.
            pub fn about(&self) -> &'static str {
                match self { $(BuiltIn::$variant(_) => $about,)+ }
            }
        }

        impl Deref for BuiltIn {
            type Target = dyn Algorithm;
            fn deref(&self) -> &(dyn Algorithm + 'static) {
                match self { $(BuiltIn::$variant(algorithm) => algorithm,)+ }
            }
        }

        impl From<BuiltIn> for Box<dyn Algorithm> {
            fn from(built_in: BuiltIn) -> Box<dyn Algorithm> {
                match built_in { $(BuiltIn::$variant(algorithm) => Box::new(algorithm),)+ }
            }
        }
    };
}

algorithms! {
    "oreal" Oreal "clones right answers, pushes wrong ones down, weighed by a token-level reward model" {
        "released" Oreal::default(), "soft" Oreal::soft(), "paper" Oreal::paper(), "outcome" Oreal::outcome()
    }
    "grpo" Grpo "clipped surrogate on rewards normalised in their group" {
        "deepseek" Grpo::default(), "dapo" Grpo::dapo(), "dr_grpo" Grpo::dr_grpo()
    }
    "gspo" Gspo "GRPO with one ratio for a whole completion" { "sequence" Gspo::default(), "token" Gspo::token() }
    "cispo" Cispo "policy gradient with clipped importance weights" { "default" Cispo::default() }
    "sapo" Sapo "GRPO with a smooth gate in place of the clip" { "default" Sapo::default() }
    "ppo" Ppo "clipped surrogate on advantages estimated with a critic" { "default" Ppo::default() }
    "vine_ppo" VinePpo "PPO with values estimated by rollouts from each prefix" { "default" VinePpo::default() }
    "reinforce_plus_plus" ReinforcePlusPlus "PPO without a critic, normalised over the batch" {
        "default" ReinforcePlusPlus::default(), "baseline" ReinforcePlusPlus::baseline()
    }
    "dpo" Dpo "prefers the right one of two answers" { "dpo" Dpo::default(), "ipo" Dpo::ipo() }
    "rft" Rft "clones right answers" { "default" Rft::default() }
    "rloo" Rloo "policy gradient with the mean of the others as baseline" { "default" Rloo::default() }
    "remax" Remax "policy gradient with the greedy reward as baseline" { "default" Remax::default() }
    "gpg" Gpg "policy gradient on centred rewards, made up for groups that teach nothing" { "default" Gpg::default() }
    "reinforce" Reinforce "policy gradient with the mean reward as baseline" { "default" Reinforce::default() }
}

impl BuiltIn {
    /// What frameworks call an algorithm, as more of its presets.
    pub fn dialects(name: &str) -> Vec<(&'static str, BuiltIn)> {
        match name {
            "grpo" => dialects().into_iter().map(|dialect| (dialect.name, BuiltIn::Grpo(dialect.algorithm))).collect(),
            _ => Vec::new(),
        }
    }

    /// Every algorithm with every preset, dialects left out: (algorithm, preset, settings).
    pub fn all() -> Vec<(&'static str, &'static str, BuiltIn)> {
        let mut all = Vec::new();
        for name in Self::NAMES {
            all.extend(Self::presets(name).into_iter().map(|(preset, algorithm)| (*name, preset, algorithm)));
        }
        all
    }
}
