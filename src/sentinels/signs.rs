//! The list of sentinels: what is wrong, how it is seen, what to do.

use super::{History, Sentinel, SentinelSettings, Severity};
use crate::record::StepRecord;

type Sign = Option<(Severity, String)>;

/// Every sentinel, in the order in which they speak.
pub const SENTINELS: &[Sentinel] = &[
    Sentinel {
        name: "ungraded",
        what: "most completions are no evidence: they could not be graded, or the sampler failed to draw them",
        remedy: "look at what the judge or the sampler says in the terminal, and grade a few answers with `oreal grade`",
        sign: ungraded,
    },
    Sentinel {
        name: "truncated",
        what: "most completions are cut at the token limit",
        remedy: "raise env.max_tokens, or fine-tune on shorter answers first: a completion that is cut says little about \
                 the answer",
        sign: |history, _| mostly(history, "cut at the token limit", |record| record.truncated),
    },
    Sentinel {
        name: "unparsable",
        what: "most completions are not in the form that the environment asks for",
        remedy: "imitate demonstrations for longer (warm_up.steps) or with `oreal sft`, or ask for the form in the prompt",
        sign: |history, _| mostly(history, "not in the form asked for", |record| record.unparsable),
    },
    Sentinel {
        name: "uniform_groups",
        what: "no group has both right and wrong completions, so an advantage relative to the group is 0 everywhere",
        remedy: "take easier problems or a stronger start, draw more completions a problem (train.rollouts), or raise \
                 sampling.temperature",
        sign: uniform_groups,
    },
    Sentinel {
        name: "first_update_ratio",
        what: "before the first update the policy's probabilities are not those of the sampler, so every ratio is wrong",
        remedy: "compare sampling.temperature, top_p and top_k with what the sampler really uses, and the precision of both \
                 sides; correct by truncated importance sampling, or recompute old_logp here",
        sign: first_update_ratio,
    },
    Sentinel {
        name: "sampler_apart",
        what: "log-probabilities of the sampler and of the trainer are apart on single tokens",
        remedy: "look for another tokenizer or chat template, stale weights, or another precision on the sampler's side",
        sign: sampler_apart,
    },
    Sentinel {
        name: "no_gradient",
        what: "the gradient of a role is exactly 0, though there are right and wrong answers to learn from",
        remedy: "`oreal show` prints the loss: a coefficient or weight of 0, or a selection that keeps one kind of answer \
                 only, does this",
        sign: no_gradient,
    },
    Sentinel {
        name: "idle_parameters",
        what: "some parameters have never had a gradient",
        remedy: "if they are not meant to be frozen, the model's forward pass does not use them: compare its configuration \
                 with the checkpoint's",
        sign: idle_parameters,
    },
    Sentinel {
        name: "unmoved",
        what: "the weights of a role are the same after an update",
        remedy: "raise its learning rate under [rates]: the change is lost in rounding, or the rate is 0",
        sign: unmoved,
    },
    Sentinel {
        name: "entropy_collapse",
        what: "the policy hardly varies any more, though many answers are wrong: it no longer explores",
        remedy: "lower the learning rate, add entropy (added.entropy) or a KL term (added.kl), or select fewer of the most \
                 likely answers",
        sign: entropy_collapse,
    },
    Sentinel {
        name: "kl_blow_up",
        what: "the policy is far from the reference",
        remedy: "lower the learning rate, or raise the coefficient of the KL term",
        sign: kl_blow_up,
    },
    Sentinel {
        name: "lengths",
        what: "completions grow and run into the token limit, which the pass rate does not pay for",
        remedy: "look at the transcripts for repetition; average over tokens as Dr. GRPO or DAPO do, or give long answers a \
                 lower reward",
        sign: lengths,
    },
    Sentinel {
        name: "reward_model_at_chance",
        what: "the reward model tells right from wrong no better than a coin",
        remedy: "raise rates.reward_model, let it learn before the policy moves, or look whether its labels are in order",
        sign: reward_model_at_chance,
    },
    Sentinel {
        name: "reward_model_saturated",
        what: "the reward model's scores are so large that its sigmoid has no slope",
        remedy: "lower rates.reward_model, or raise its weight decay",
        sign: reward_model_saturated,
    },
    Sentinel {
        name: "overfitting",
        what: "the pass rate of the rollouts rises while that on held-out problems falls",
        remedy: "stop at the best checkpoint, train on more problems, or raise the coefficient of the KL term",
        sign: overfitting,
    },
    Sentinel {
        name: "clip_never_acts",
        what: "the clipping of the ratio never acted in the whole run",
        remedy: "it changes nothing at these learning rates: a narrower range, more epochs, or no clipping say the same as \
                 what ran",
        sign: clip_never_acts,
    },
];

/// Share of completions from which on it is most of them.
const MOST: f64 = 0.5;

/// Mean ratio at the first update: 1 when sampler and trainer agree; bf16 on one side gives about 0.01.
const RATIO_OFF: f64 = 0.05;

/// Mean distance of log-probabilities on single tokens, nats; bf16 on one side gives about 0.01.
const LOGP_APART: f64 = 0.1;

/// Mean distance on completions that were scored again, above which weights may be stale: in nats, and by how many times it has grown
/// since the first step.
const STALE: (f64, f64) = (0.005, 5.0);

/// Nats a token below which a policy is nearly deterministic, and the share of the first step's.
const COLLAPSED: (f64, f64) = (0.02, 0.05);

/// Pass rate from which on certainty is earned.
const SOLVED: f64 = 0.8;

/// Median of the estimate of KL to the reference, nats a token.
const KL_FAR: f64 = 5.0;

/// Area under the ROC curve, by how much the mean must be above one half.
const CHANCE: f64 = 0.005;

/// How many times the patience a run must have lasted before it is said that something never happened.
const LONG: usize = 10;

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn mostly(history: &History, what: &str, share: fn(&StepRecord) -> f64) -> Sign {
    let mean = history.mean(|record| Some(share(record)))?;
    let evidence =
        || format!("over the last {} steps {} of completions were {what}", history.patience(), percent(mean));
    history.lasts(|record| record.trajectories > 0 && share(record) > MOST).then(|| (Severity::Warning, evidence()))
}

fn ungraded(history: &History, _: &SentinelSettings) -> Sign {
    let lost = |record: &StepRecord| record.ungraded + record.failed;
    if !history.lasts(|record| lost(record) > record.trajectories) {
        return None;
    }
    let severity = if history.lasts(|record| record.trajectories == 0) { Severity::Stop } else { Severity::Warning };
    let last = history.last()?;
    let evidence = format!(
        "for {} steps more than half were lost; in the last step {} were ungraded, {} failed, {} were graded",
        history.patience(),
        last.ungraded,
        last.failed,
        last.trajectories
    );
    Some((severity, evidence))
}

fn uniform_groups(history: &History, _: &SentinelSettings) -> Sign {
    // Where every answer is right there is nothing left to learn; where groups have one completion, the algorithm does
    // not compare within them.
    let uniform = |record: &StepRecord| record.mixed_groups == 0.0 && record.pass_rate < 1.0;
    let compares = history.last()?.group_size > 1;
    let mean = history.mean(|record| Some(record.pass_rate))?;
    let evidence = || {
        format!("for {} steps every group was all right or all wrong; {} were right", history.patience(), percent(mean))
    };
    (compares && history.lasts(|record| record.trajectories > 0 && uniform(record)))
        .then(|| (Severity::Warning, evidence()))
}

fn first_update_ratio(history: &History, _: &SentinelSettings) -> Sign {
    let ratio = history.last()?.first_update_ratio?;
    // Of completions of older weights it is meant to be another.
    let off = |record: &StepRecord| {
        record.behind.is_none() && record.first_update_ratio.is_some_and(|ratio| (ratio - 1.0).abs() > RATIO_OFF)
    };
    history.lasts(off).then(|| (Severity::Warning, format!("the mean ratio is {ratio:.4}; 1 would be right")))
}

fn sampler_apart(history: &History, _: &SentinelSettings) -> Sign {
    let told = |evidence| Some((Severity::Warning, evidence));
    if let Some(mean) = history.mean(|record| record.rescored.map(|rescored| rescored.mean)) {
        let largest = history.mean(|record| record.rescored.map(|rescored| rescored.largest))?;
        // In the first step the weights have just been loaded: what is apart there are the numerics.
        let first = history.first()?.rescored.map_or(LOGP_APART, |rescored| rescored.mean);
        let most = LOGP_APART.min((STALE.1 * first).max(STALE.0));
        let far = history.lasts(|record| record.rescored.is_none_or(|rescored| rescored.mean > most));
        let evidence = format!(
            "scored again here, completions of the current weights differ by {mean:.4} nats a token, by at most {largest:.4} \
             in a step's mean; in the first step it was {first:.4}"
        );
        return if far { told(evidence) } else { None };
    }
    let apart = history.mean(|record| record.sampler_apart)?;
    let far =
        |record: &StepRecord| record.behind.is_none() && record.sampler_apart.is_some_and(|apart| apart > LOGP_APART);
    if history.lasts(far) { told(format!("they differ by {apart:.3} nats a token on average")) } else { None }
}

fn no_gradient(history: &History, _: &SentinelSettings) -> Sign {
    // Groups of one kind have no gradient relative to the group, which is told apart; a solved problem needs none.
    let learns = |record: &StepRecord| record.kept > 0 && record.updates > 0 && record.mixed_groups > 0.0;
    let zero = |role: &str, record: &StepRecord| record.gradient_norm.get(role) == Some(&0.0);
    let role = history.last()?.gradient_norm.keys().find(|role| history.lasts(|r| learns(r) && zero(role, r)))?;
    let severity = if role == "policy" { Severity::Stop } else { Severity::Warning };
    Some((severity, format!("for {} steps the gradient norm of {role} was 0", history.patience())))
}

fn idle_parameters(history: &History, _: &SentinelSettings) -> Sign {
    let idle = &history.probed()?.idle;
    let (first, more) = (idle.first()?, idle.len() - 1);
    let others = if more > 0 { format!(", and {more} more") } else { String::new() };
    Some((Severity::Warning, format!("the running mean of the squared gradient is 0 for {first}{others}")))
}

fn unmoved(history: &History, _: &SentinelSettings) -> Sign {
    let last = history.last()?;
    let role = history.probed()?.unmoved.first()?;
    let number = |of: &std::collections::BTreeMap<String, f64>| of.get(role).copied().unwrap_or(f64::NAN);
    let (norm, rate) = (number(&last.gradient_norm), number(&last.rate));
    let evidence = format!(
        "{role} reports the same numbers, bit for bit, after an update with a gradient norm of {norm:.2e} and a learning rate of {rate:.2e}"
    );
    Some((Severity::Stop, evidence))
}

fn entropy_collapse(history: &History, _: &SentinelSettings) -> Sign {
    let (first, now) = (history.first()?.entropy?, history.mean(|record| record.entropy)?);
    let pass = history.mean(|record| Some(record.pass_rate))?;
    let low = COLLAPSED.0.min(COLLAPSED.1 * first);
    let collapsed = history.lasts(|record| record.entropy.is_some_and(|entropy| entropy < low)) && pass < SOLVED;
    let evidence =
        || format!("entropy is {now:.4} nats a token, from {first:.3} at first, at a pass rate of {}", percent(pass));
    collapsed.then(|| (Severity::Warning, evidence()))
}

fn kl_blow_up(history: &History, _: &SentinelSettings) -> Sign {
    let kl = history.median(|record| record.kl_to_reference)?;
    (kl > KL_FAR).then(|| (Severity::Warning, format!("the median of the last steps is {kl:.2} nats a token")))
}

fn lengths(history: &History, _: &SentinelSettings) -> Sign {
    let first = history.first()?;
    let (length, truncated) = (history.mean(|r| Some(r.length))?, history.mean(|r| Some(r.truncated))?);
    let pass = history.mean(|record| Some(record.pass_rate))?;
    let grown = |r: &StepRecord| r.length > 1.5 * first.length && r.truncated > first.truncated + 0.1;
    let evidence = || {
        format!(
            "mean length is {length:.0} tokens, from {:.0}; {} are cut, from {}; {} are right, from {}",
            first.length,
            percent(truncated),
            percent(first.truncated),
            percent(pass),
            percent(history.start())
        )
    };
    (history.lasts(grown) && pass < history.start() + 0.05).then(|| (Severity::Warning, evidence()))
}

fn reward_model_at_chance(history: &History, _: &SentinelSettings) -> Sign {
    // It starts at chance: twice the patience before it is asked for more.
    let learnt = history.last()?.step + 1 >= 3 * history.patience();
    let area = history.mean(|record| record.reward_model?.area)?;
    (learnt && area < 0.5 + CHANCE).then(|| {
        (
            Severity::Warning,
            format!("the area under its ROC curve is {area:.3} over the last {} steps", history.patience()),
        )
    })
}

fn reward_model_saturated(history: &History, _: &SentinelSettings) -> Sign {
    let share = history.mean(|record| Some(record.reward_model?.saturated))?;
    let most = |record: &StepRecord| record.reward_model.is_some_and(|model| model.saturated > MOST);
    history.lasts(most).then(|| {
        (Severity::Warning, format!("{} of its scores are beyond ±{}", percent(share), super::score::SATURATED))
    })
}

fn overfitting(history: &History, _: &SentinelSettings) -> Sign {
    let now = history.last()?.held_out.as_ref()?;
    let (best, then) = history.best()?;
    let training = history.mean(|record| Some(record.pass_rate))?;
    let evidence = || {
        format!(
            "held-out problems: {} [{}, {}], from {} [{}, {}]; rollouts: {}, from {}",
            percent(now.rate),
            percent(now.low),
            percent(now.high),
            percent(best.rate),
            percent(best.low),
            percent(best.high),
            percent(training),
            percent(*then)
        )
    };
    (now.high < best.low && training > *then).then(|| (Severity::Warning, evidence()))
}

fn clip_never_acts(history: &History, _: &SentinelSettings) -> Sign {
    let last = history.last()?;
    let ends = last.step + 1 == history.steps && history.steps >= LONG * history.patience();
    let silent = last.terms.contains_key("clipped") && history.repeated > 0 && history.clipped == 0;
    (ends && silent).then(|| {
        (Severity::Warning, format!("in {} steps with several updates no ratio left its range", history.repeated))
    })
}
