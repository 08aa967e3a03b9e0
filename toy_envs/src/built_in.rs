//! The environments of this crate as one setting: `name` chooses the environment, and the other keys are its settings.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::env::Env;

/// Makes the enumeration from the modules, types and one-line descriptions of the environments.
macro_rules! environments {
    ($($module:ident::$Env:ident: $about:literal,)+) => {
        /// One of the environments of this crate, with its settings.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "name", rename_all = "lowercase")]
        pub enum BuiltIn {
            $(#[doc = $about] $Env(crate::$module::$Env),)+
        }

        impl BuiltIn {
            /// The names, as in configuration files.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($module)),+];

            /// Each environment with its default settings, in the order of the names.
            pub fn all() -> Vec<Self> {
                vec![$(Self::$Env(Default::default())),+]
            }

            /// One line on what the environment asks.
            pub fn about(&self) -> &'static str {
                match self {
                    $(Self::$Env(_) => $about,)+
                }
            }
        }

        impl Deref for BuiltIn {
            type Target = dyn Env;

            fn deref(&self) -> &Self::Target {
                match self {
                    $(Self::$Env(env) => env,)+
                }
            }
        }

        impl From<BuiltIn> for Box<dyn Env> {
            fn from(built_in: BuiltIn) -> Self {
                match built_in {
                    $(BuiltIn::$Env(env) => Box::new(env),)+
                }
            }
        }

        $(
            impl From<crate::$module::$Env> for BuiltIn {
                fn from(env: crate::$module::$Env) -> Self {
                    Self::$Env(env)
                }
            }
        )+
    };
}

environments! {
    bandit::Bandit: "one choice among six arms, right with a known probability",
    addition::Addition: "the sum of two numbers, 34+57=",
    modular::Modular: "a sum, difference or product modulo a number, 13+15%23=",
    chain::Chain: "a running sum with every partial sum written out, 3+4+5=",
    countdown::Countdown: "an expression of given numbers with a given value, 2,3,7>13:",
}
