//! The messages of the Tinker API that its SDK, from version 0.38 on, sends and expects as protobuf only: the request of
//! `forward_backward`, and the results of it and of `asample`.

use std::collections::{BTreeMap, HashMap};

use prost::Message;
use serde_json::Value;

use super::batch::{Datum, Input};
use super::refusal::{Answered, Refusal};
use crate::tinker::wire::{self, LossOutput, ModelInput, Numbers, Sampled};

/// The type of a body in this form.
pub(super) const CONTENT_TYPE: &str = "application/x-protobuf";

const FLOAT32: i32 = 1;
const INT64: i32 = 2;
const INT32: i32 = 3;

#[derive(Clone, PartialEq, Message)]
struct ForwardBackwardRequest {
    #[prost(string, tag = "1")]
    model_id: String,
    #[prost(int32, tag = "2")]
    seq_id: i32,
    #[prost(message, repeated, tag = "3")]
    data: Vec<ProtoDatum>,
    #[prost(string, tag = "4")]
    loss_fn: String,
    #[prost(map = "string, double", tag = "5")]
    loss_fn_config: HashMap<String, f64>,
    #[prost(bool, tag = "6")]
    forward_only: bool,
    #[prost(map = "string, message", tag = "7")]
    loss_fn_config_v2: HashMap<String, ConfigValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ConfigValue {
    #[prost(oneof = "Scalar", tags = "1, 2")]
    scalar: Option<Scalar>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Scalar {
    #[prost(double, tag = "1")]
    Number(f64),
    #[prost(string, tag = "2")]
    Text(String),
}

#[derive(Clone, PartialEq, Message)]
struct ProtoDatum {
    #[prost(message, repeated, tag = "1")]
    model_input: Vec<ProtoChunk>,
    #[prost(map = "string, message", tag = "2")]
    loss_fn_inputs: HashMap<String, ProtoTensor>,
}

#[derive(Clone, PartialEq, Message)]
struct ProtoChunk {
    #[prost(message, optional, tag = "1")]
    encoded_text: Option<EncodedText>,
}

/// Tokens as int32, little-endian.
#[derive(Clone, PartialEq, Message)]
struct EncodedText {
    #[prost(bytes = "vec", tag = "1")]
    tokens: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct ProtoTensor {
    #[prost(bytes = "vec", optional, tag = "1")]
    dense: Option<Vec<u8>>,
    #[prost(int32, tag = "3")]
    dtype: i32,
    #[prost(int64, repeated, tag = "4")]
    shape: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct ForwardBackwardOutput {
    #[prost(string, tag = "1")]
    loss_fn_output_type: String,
    #[prost(message, repeated, tag = "2")]
    loss_fn_outputs: Vec<ArrayRecord>,
    #[prost(map = "string, double", tag = "3")]
    metrics: HashMap<String, f64>,
}

#[derive(Clone, PartialEq, Message)]
struct ArrayRecord {
    #[prost(string, tag = "1")]
    type_tag: String,
    #[prost(map = "string, message", tag = "2")]
    fields: HashMap<String, BatchedTensor>,
    #[prost(int64, tag = "3")]
    num_datums: i64,
}

/// Numbers of several sequences one after another; `offsets` are bytes.
#[derive(Clone, PartialEq, Message)]
struct BatchedTensor {
    #[prost(bytes = "vec", tag = "1")]
    data: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    offsets: Vec<u8>,
    #[prost(int32, tag = "3")]
    dtype: i32,
}

#[derive(Clone, PartialEq, Message)]
struct SampleResponse {
    #[prost(message, repeated, tag = "1")]
    sequences: Vec<ProtoSequence>,
    #[prost(bytes = "vec", optional, tag = "2")]
    prompt_logprobs: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct ProtoSequence {
    /// 0 for a stop token, 1 for the longest completion.
    #[prost(int32, tag = "1")]
    stop_reason: i32,
    #[prost(bytes = "vec", tag = "2")]
    tokens: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "3")]
    logprobs: Option<Vec<u8>>,
}

/// A request of `forward_backward`.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) model_id: String,
    pub(super) seq_id: Option<u64>,
    pub(super) input: Input,
    /// Whether the gradient is not wanted.
    pub(super) forward_only: bool,
}

/// Reads a request.
pub(super) fn read(body: &[u8]) -> Answered<Asked> {
    let request = ForwardBackwardRequest::decode(body)
        .map_err(|problem| Refusal::bad(format!("the body is no ForwardBackwardRequest in protobuf: {problem}")))?;
    let seq_id = u64::try_from(request.seq_id).map_err(|_| Refusal::bad("seq_id is negative"))?;
    let mut config: BTreeMap<String, Value> =
        request.loss_fn_config.into_iter().map(|(key, number)| (key, Value::from(number))).collect();
    for (key, ConfigValue { scalar }) in request.loss_fn_config_v2 {
        let value = match scalar {
            Some(Scalar::Number(number)) => Value::from(number),
            Some(Scalar::Text(text)) => Value::from(text),
            None => Value::Null,
        };
        config.insert(key, value);
    }
    let data = request.data.into_iter().map(datum).collect::<Answered<Vec<Datum>>>()?;
    let loss_fn_config = if config.is_empty() { None } else { Some(config) };
    let input = Input { data, loss_fn: request.loss_fn, loss_fn_config };
    // Numbers are counted from 1; 0 stands for none.
    let seq_id = Some(seq_id).filter(|seq_id| *seq_id > 0);
    Ok(Asked { model_id: request.model_id, seq_id, input, forward_only: request.forward_only })
}

fn datum(datum: ProtoDatum) -> Answered<Datum> {
    let mut tokens = Vec::new();
    for ProtoChunk { encoded_text } in datum.model_input {
        let text =
            encoded_text.ok_or_else(|| Refusal::bad("a chunk is no encoded_text: this server reads tokens only"))?;
        for token in words::<4>(&text.tokens, "encoded_text.tokens")?.map(i32::from_le_bytes) {
            let negative = |_| Refusal::bad(format!("token {token} is negative"));
            tokens.push(u32::try_from(token).map_err(negative)?);
        }
    }
    let inputs = datum.loss_fn_inputs.into_iter().map(|(name, given)| Ok((name.clone(), tensor(&name, given)?)));
    Ok(Datum { model_input: ModelInput::of(tokens), loss_fn_inputs: inputs.collect::<Answered<_>>()? })
}

fn tensor(name: &str, ProtoTensor { dense, dtype, shape }: ProtoTensor) -> Answered<wire::Tensor> {
    let sparse = || Refusal::bad(format!("{name}: sparse tensors are not read here: send a dense one"));
    let bytes = dense.ok_or_else(sparse)?;
    let data = match dtype {
        FLOAT32 => Numbers::Real(words::<4>(&bytes, name)?.map(|word| f32::from_le_bytes(word).into()).collect()),
        INT64 => Numbers::Whole(words::<8>(&bytes, name)?.map(i64::from_le_bytes).collect()),
        INT32 => Numbers::Whole(words::<4>(&bytes, name)?.map(|word| i32::from_le_bytes(word).into()).collect()),
        _ => return Err(Refusal::bad(format!("{name}: numbers of type {dtype}: send float32 or int64"))),
    };
    let size = |size: i64| usize::try_from(size).map_err(|_| Refusal::bad(format!("{name}: a size of {size}")));
    let shape = shape.into_iter().map(size).collect::<Answered<Vec<usize>>>()?;
    let shape = if shape.is_empty() { None } else { Some(shape) };
    Ok(wire::Tensor { data, dtype: if dtype == FLOAT32 { "float32" } else { "int64" }.to_owned(), shape })
}

fn words<'a, const N: usize>(bytes: &'a [u8], name: &str) -> Answered<impl Iterator<Item = [u8; N]> + use<'a, N>> {
    let (words, rest) = bytes.as_chunks::<N>();
    match rest.is_empty() {
        true => Ok(words.iter().copied()),
        false => Err(Refusal::bad(format!("{name}: {} bytes are no whole numbers of {N} bytes", bytes.len()))),
    }
}

/// A result of `forward_backward`.
pub(super) fn loss_output(output: &LossOutput) -> Vec<u8> {
    let (mut data, mut offsets) = (Vec::new(), 0_i64.to_le_bytes().to_vec());
    for sequence in &output.loss_fn_outputs {
        data.extend(floats(&sequence.logprobs.data.reals()));
        offsets.extend((data.len() as i64).to_le_bytes());
    }
    let logprobs = BatchedTensor { data, offsets, dtype: FLOAT32 };
    let record = ArrayRecord {
        type_tag: output.loss_fn_output_type.clone(),
        fields: [("logprobs".to_owned(), logprobs)].into(),
        num_datums: output.loss_fn_outputs.len() as i64,
    };
    let metrics = output.metrics.as_object().into_iter().flatten();
    let metrics = metrics.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect();
    let loss_fn_output_type = output.loss_fn_output_type.clone();
    ForwardBackwardOutput { loss_fn_output_type, loss_fn_outputs: vec![record], metrics }.encode_to_vec()
}

/// A result of `asample`.
pub(super) fn sampled(sampled: &Sampled) -> Vec<u8> {
    let sequence = |sequence: &wire::SampledSequence| ProtoSequence {
        stop_reason: i32::from(sequence.stop_reason == "length"),
        tokens: sequence.tokens.iter().flat_map(|token| token.to_le_bytes()).collect(),
        logprobs: sequence.logprobs.as_deref().map(floats),
    };
    let missing =
        |logps: &Vec<Option<f64>>| floats(&logps.iter().map(|logp| logp.unwrap_or(f64::NAN)).collect::<Vec<_>>());
    SampleResponse {
        sequences: sampled.sequences.iter().map(sequence).collect(),
        prompt_logprobs: sampled.prompt_logprobs.as_ref().map(missing),
    }
    .encode_to_vec()
}

fn floats(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| (*number as f32).to_le_bytes()).collect()
}
