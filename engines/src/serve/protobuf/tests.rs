use oreal_models::{Completion, Ending};
use serde_json::json;

use super::*;
use crate::serve::results::{self, loss_output as output};

fn tensor_of(numbers: &[f32]) -> ProtoTensor {
    let dense = Some(numbers.iter().flat_map(|number| number.to_le_bytes()).collect());
    ProtoTensor { dense, dtype: FLOAT32, shape: vec![numbers.len() as i64] }
}

fn request() -> ForwardBackwardRequest {
    let tokens = |tokens: &[i32]| tokens.iter().flat_map(|token| token.to_le_bytes()).collect::<Vec<u8>>();
    let chunk = |of: &[i32]| ProtoChunk { encoded_text: Some(EncodedText { tokens: tokens(of) }) };
    let targets = [2_i64, 3, 4].iter().flat_map(|target| target.to_le_bytes()).collect();
    let targets = ProtoTensor { dense: Some(targets), dtype: INT64, shape: vec![3] };
    let inputs = [("target_tokens", targets), ("weights", tensor_of(&[0.0, 1.0, -2.5]))];
    let datum = ProtoDatum {
        model_input: vec![chunk(&[1, 2]), chunk(&[3])],
        loss_fn_inputs: inputs.map(|(name, tensor)| (name.to_owned(), tensor)).into(),
    };
    ForwardBackwardRequest {
        model_id: "m".to_owned(),
        seq_id: 5,
        data: vec![datum],
        loss_fn: "ppo".to_owned(),
        loss_fn_config: HashMap::new(),
        forward_only: true,
        loss_fn_config_v2: [("low".to_owned(), ConfigValue { scalar: Some(Scalar::Number(0.5)) })].into(),
    }
}

fn refusal(change: impl FnOnce(&mut ForwardBackwardRequest)) -> String {
    let mut request = request();
    change(&mut request);
    read(&request.encode_to_vec()).unwrap_err().sentence
}

#[test]
fn a_request_is_read_as_it_was_written() {
    let Asked { model_id, seq_id, input, forward_only } = read(&request().encode_to_vec()).unwrap();
    assert_eq!((model_id.as_str(), seq_id, forward_only), ("m", Some(5), true));
    assert_eq!((input.loss_fn.as_str(), &input.loss_fn_config.unwrap()["low"]), ("ppo", &json!(0.5)));
    let datum = &input.data[0];
    assert_eq!(datum.model_input.tokens(), [1, 2, 3]);
    assert_eq!(datum.loss_fn_inputs["target_tokens"].data, Numbers::Whole(vec![2, 3, 4]));
    assert_eq!(datum.loss_fn_inputs["weights"].data, Numbers::Real(vec![0.0, 1.0, -2.5]));
    assert_eq!(datum.loss_fn_inputs["weights"].shape, Some(vec![3]));
    assert_eq!(read(&ForwardBackwardRequest { seq_id: 0, ..request() }.encode_to_vec()).unwrap().seq_id, None);
}

#[test]
fn wrong_bytes_are_refused() {
    assert!(read(b"not protobuf").unwrap_err().sentence.contains("no ForwardBackwardRequest"));
    let whole = request().encode_to_vec();
    for length in 0..whole.len() {
        // Some beginnings are messages too; none may panic.
        let _ = read(&whole[..length]);
    }
    fn weights(request: &mut ForwardBackwardRequest) -> &mut ProtoTensor {
        request.data[0].loss_fn_inputs.get_mut("weights").unwrap()
    }
    assert!(refusal(|r| r.seq_id = -1).contains("seq_id is negative"));
    assert!(refusal(|r| r.data[0].model_input[0].encoded_text = None).contains("tokens only"));
    let negative = EncodedText { tokens: (-1_i32).to_le_bytes().to_vec() };
    assert!(refusal(|r| r.data[0].model_input[0].encoded_text = Some(negative)).contains("token -1 is negative"));
    assert!(refusal(|r| weights(r).dense = Some(vec![1, 2, 3])).contains("weights: 3 bytes"));
    assert!(refusal(|r| weights(r).dense = None).contains("sparse"));
    assert!(refusal(|r| weights(r).dtype = 4).contains("type 4"));
    assert!(refusal(|r| weights(r).shape = vec![-1]).contains("a size of -1"));
}

#[test]
fn results_have_the_numbers_of_the_json() {
    let logps = [vec![-0.5, -1.0], vec![-2.0]];
    let written = loss_output(&output(&logps, 3.5));
    let found = ForwardBackwardOutput::decode(&written[..]).unwrap();
    assert_eq!(found.metrics["loss:sum"], 3.5);
    let record = &found.loss_fn_outputs[0];
    let tensor = &record.fields["logprobs"];
    assert_eq!((record.num_datums, tensor.dtype), (2, FLOAT32));
    assert_eq!(tensor.data, floats(&[-0.5, -1.0, -2.0]));
    let offsets: Vec<u8> = [0_i64, 8, 12].iter().flat_map(|offset| offset.to_le_bytes()).collect();
    assert_eq!(tensor.offsets, offsets);

    let logp = Some(vec![-0.25, -0.75]);
    let completion = Completion { tokens: vec![7, 8], sampled_logp: logp, ending: Ending::Truncated, version: 0 };
    let written = sampled(&results::sampled(&[completion], Some(&[None, Some(-1.5)])));
    let found = SampleResponse::decode(&written[..]).unwrap();
    assert_eq!(found.sequences[0].stop_reason, 1);
    assert_eq!(found.sequences[0].tokens, [7, 0, 0, 0, 8, 0, 0, 0]);
    assert_eq!(found.sequences[0].logprobs, Some(floats(&[-0.25, -0.75])));
    let prompt = found.prompt_logprobs.unwrap();
    assert!(f32::from_le_bytes(prompt[..4].try_into().unwrap()).is_nan());
    assert_eq!(prompt[4..], floats(&[-1.5]));
}
