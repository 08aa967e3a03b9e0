//! Messages about saved weights.

use serde::{Deserialize, Serialize};

/// `save_weights`: weights and moments, to go on from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SaveWeights {
    /// Which model.
    pub model_id: String,
    /// Number of the call among those of its model.
    #[serde(default)]
    pub seq_id: Option<u64>,
    /// A name for it.
    #[serde(default)]
    pub path: Option<String>,
}

/// `save_weights_for_sampler`: weights to draw with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SaveWeightsForSampler {
    /// Which model.
    pub model_id: String,
    /// Number of the call among those of its model.
    #[serde(default)]
    pub seq_id: Option<u64>,
    /// A name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Number of a sampling session, where it has no name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling_session_seq_id: Option<u64>,
}

/// Where something was saved.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    /// Such as `tinker://MODEL/weights/NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The sampling session that draws with it, where it has no name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling_session_id: Option<String>,
}

/// `load_weights`: a model takes over what `save_weights` saved.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoadWeights {
    /// Which model.
    pub model_id: String,
    /// Number of the call among those of its model.
    #[serde(default)]
    pub seq_id: Option<u64>,
    /// From where.
    pub path: String,
    /// The moments too.
    #[serde(default)]
    pub optimizer: bool,
}
