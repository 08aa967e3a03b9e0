//! The parts that models play in an algorithm.

use std::cmp::Ordering;
use std::fmt;

use serde::{Serialize, Serializer};

/// What a model ends in, which decides the signals it can report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Head {
    /// Logits over the vocabulary: log-probability and entropy.
    Vocabulary,
    /// One number per position: a value or a score.
    Scalar,
}

/// A part that a model plays in an algorithm. The columns an algorithm reads decide which roles a run has.
///
/// The roles of the built-in algorithms are constants here. An algorithm of your own makes its own:
///
/// ```
/// use oreal_algos::{Head, Role};
///
/// const STYLE_MODEL: Role = Role::new("style_model", Head::Scalar);
/// assert_eq!(STYLE_MODEL.name(), "style_model");
/// assert!(Role::ALL.iter().all(|role| *role < STYLE_MODEL), "built-in roles come first");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Role {
    name: &'static str,
    head: Head,
}

impl Role {
    /// The model that is trained to answer.
    pub const POLICY: Role = Role::new("policy", Head::Vocabulary);
    /// The policy as it was before training; never updated.
    pub const REFERENCE: Role = Role::new("reference", Head::Vocabulary);
    /// Expected return of a prefix (PPO).
    pub const CRITIC: Role = Role::new("critic", Head::Scalar);
    /// Token-level reward model (OREAL).
    pub const REWARD_MODEL: Role = Role::new("reward_model", Head::Scalar);

    /// The roles of the built-in algorithms.
    pub const ALL: [Role; 4] = [Role::POLICY, Role::REFERENCE, Role::CRITIC, Role::REWARD_MODEL];

    /// A role of your own. Two roles of one algorithm must not share a name ([`crate::check`] refuses it).
    pub const fn new(name: &'static str, head: Head) -> Role {
        Role { name, head }
    }

    /// As in configuration files and records.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// What its model ends in.
    pub const fn head(self) -> Head {
        self.head
    }

    /// A built-in role by its name.
    pub fn named(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name == name)
    }
}

/// Built-in roles in the order of [`Role::ALL`], then others by name.
impl Ord for Role {
    fn cmp(&self, other: &Role) -> Ordering {
        let place = |role: &Role| Role::ALL.iter().position(|built_in| built_in.name == role.name);
        let key = |role: &Role| (place(role).unwrap_or(usize::MAX), role.name, role.head);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Role {
    fn partial_cmp(&self, other: &Role) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// By its name.
impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}
