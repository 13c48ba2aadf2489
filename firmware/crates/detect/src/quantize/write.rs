//! A model with some of its layers in 8 bits → its two files. All that is not quantized passes through
//! byte for byte.
//!
//! Layout that ncnn 20260526 loads: a layer with `int8_scale_term` (parameter 8) 1 has its weights as
//! 8-bit integers, then its bias, then a scale of its weights for each channel (each group
//! of a ConvolutionDepthWise) and one scale of what it reads. With 101 one scale of what it makes
//! follows, and it makes 8-bit integers. Every scale is a factor: integer = value × scale.

use std::collections::{BTreeMap, BTreeSet};

use super::network::Network;
use super::scales::Weights;
use super::weights::INT8;

/// A layer in 8 bits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Int8<'w> {
    pub(super) weights: &'w Weights,
    /// Scale of what it reads.
    pub(super) reads: f32,
    /// Scale of what it makes, where that is handed on in 8 bits.
    pub(super) makes: Option<f32>,
}

/// What becomes 8 bits, by place in [`Network::parts`].
pub(super) type Plan<'w> = BTreeMap<usize, Int8<'w>>;

/// Lets layers hand their output on in 8 bits where all that read it are in 8 bits, none of `outputs`
/// excepted: the numbers stay the same, the way over floats is saved. Readers of one blob have one
/// scale, since thresholds belong to blobs.
pub(super) fn hand_on(network: &Network, plan: &mut Plan<'_>, outputs: &[String]) {
    let quantized: BTreeSet<usize> = plan.keys().copied().collect();
    for (at, conv) in network.convs() {
        let readers: Vec<f32> =
            conv.readers.iter().filter_map(|r| plan.get(r)).map(|r| r.reads).collect();
        let takes = |reader: &usize| {
            quantized.contains(reader) && network.parts[*reader].kind != "InnerProduct"
        };
        let whole = !conv.readers.is_empty() && conv.readers.iter().all(takes);
        if let Some(int8) = plan.get_mut(&at)
            && conv.requantizes
            && whole
            && !outputs.contains(&conv.makes)
        {
            int8.makes = readers.first().copied();
        }
    }
}

/// The text of the `.param` file and the bytes of the `.bin` file.
pub(super) fn write(network: &Network, plan: &Plan<'_>) -> (String, Vec<u8>) {
    (param(network, plan), bin(network, plan))
}

fn param(network: &Network, plan: &Plan<'_>) -> String {
    let terms: BTreeMap<usize, u32> = plan
        .iter()
        .map(|(&at, int8)| (network.parts[at].line, if int8.makes.is_some() { 101 } else { 1 }))
        .collect();
    let mut text = String::with_capacity(network.param.len() + 6 * plan.len());
    for (index, line) in network.param.split_inclusive('\n').enumerate() {
        match terms.get(&(index + 1)) {
            None => text.push_str(line),
            Some(term) => {
                let end = line.trim_end().len();
                text.push_str(&line[..end]);
                text.push_str(&format!(" 8={term}"));
                text.push_str(&line[end..]);
            }
        }
    }
    text
}

fn bin(network: &Network, plan: &Plan<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(network.bin.len());
    for (at, part) in network.parts.iter().enumerate() {
        let Some(int8) = plan.get(&at) else {
            for block in &part.blocks {
                out.extend_from_slice(&network.bin[block.whole.clone()]);
            }
            continue;
        };
        let values = &int8.weights.values;
        out.extend(INT8.to_le_bytes());
        out.extend(values.iter().map(|value| value.cast_unsigned()));
        out.resize(out.len().next_multiple_of(4), 0);
        match &int8.weights.bias {
            Some(bias) => out.extend(bias.iter().flat_map(|value| value.to_le_bytes())),
            None => {
                let rest = part.blocks.iter().skip(1);
                rest.for_each(|b| out.extend_from_slice(&network.bin[b.whole.clone()]));
            }
        }
        let scales = int8.weights.scales.iter().chain([&int8.reads]).chain(&int8.makes);
        out.extend(scales.flat_map(|scale| scale.to_le_bytes()));
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::QuantizeError;
    use super::super::scales::{LARGEST, to_int8};
    use super::*;

    /// Two convolutions, then a Split into a third and an output.
    const PARAM: &str = "7767517
7 8
Input                in   0 1 in
Convolution          one  1 1 in a 0=2 1=1 5=1 6=4
ConvolutionDepthWise two  1 1 a b 0=2 1=1 5=1 6=2 7=2\r
Split                copy 1 2 b b0 b1
Convolution          last 1 1 b0 c 0=1 1=1 6=2
PReLU                relu 1 1 c d 0=1
Noop                 end  1 1 b1 e
";

    /// 32-bit weights for `one`, 16-bit ones for `two` and `last`.
    fn bin() -> Vec<u8> {
        let floats =
            |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
        let half = [0x47, 0x6B, 0x30, 0x01, 0x00, 0x3C, 0x00, 0xC0];
        let one = [vec![0; 4], floats(&[1.0, -0.5, 0.25, 0.0]), floats(&[7.0, 8.0])].concat();
        let two = [half.to_vec(), floats(&[9.0, 10.0])].concat();
        [one, two, half.to_vec(), floats(&[0.1])].concat()
    }

    fn places(network: &Network) -> Vec<usize> {
        network.convs().map(|(at, _)| at).collect()
    }

    fn plan<'w>(layers: &[usize], weights: &'w [(usize, Weights)]) -> Plan<'w> {
        let int8 = |(at, weights): &'w (usize, Weights)| {
            (*at, Int8 { weights, reads: 10.0 + *at as f32, makes: None })
        };
        weights.iter().filter(|(at, _)| layers.contains(at)).map(int8).collect()
    }

    fn weights(network: &Network) -> Vec<(usize, Weights)> {
        let each = network
            .convs()
            .map(|(at, conv)| (at, to_int8(&network.weights(at).unwrap(), conv.scales, LARGEST)));
        each.collect()
    }

    #[test]
    fn a_model_goes_through_byte_for_byte_when_nothing_is_quantized() {
        let network = Network::read(PARAM, &bin()).unwrap();
        assert_eq!(write(&network, &Plan::new()), (PARAM.to_owned(), bin()));
        assert_eq!(network.quantizable().collect::<Vec<_>>(), ["one", "two", "last"]);
    }

    #[test]
    fn a_quantized_layer_has_its_term_and_the_blocks_that_ncnn_loads_for_it() {
        let network = Network::read(PARAM, &bin()).unwrap();
        let weights = weights(&network);
        let (param, out) = write(&network, &plan(&places(&network)[..1], &weights));
        assert_eq!(param, PARAM.replacen("6=4\n", "6=4 8=1\n", 1));
        let expected = [
            vec![0x38, 0x4B, 0x0D, 0x00, 127, 192, 127, 0],
            [7.0f32, 8.0, 127.0, 508.0, 11.0].iter().flat_map(|v| v.to_le_bytes()).collect(),
            bin()[28..].to_vec(),
        ];
        assert_eq!(out, expected.concat());
    }

    #[test]
    fn numbers_are_handed_on_in_8_bits_only_where_every_reader_takes_them() {
        let network = Network::read(PARAM, &bin()).unwrap();
        let weights = weights(&network);
        let places = places(&network);
        let makes = |outputs: &[&str], layers: &[usize]| {
            let mut plan = plan(layers, &weights);
            let outputs: Vec<_> = outputs.iter().map(|&name| name.to_owned()).collect();
            hand_on(&network, &mut plan, &outputs);
            plan.values().map(|int8| int8.makes).collect::<Vec<_>>()
        };
        // `two` is also read by a Noop, `last` by a PReLU.
        assert_eq!(makes(&["d", "e"], &places), [Some(12.0), None, None]);
        assert_eq!(makes(&["a", "d", "e"], &places), [None, None, None]);
        assert_eq!(makes(&["d", "e"], &places[..1]), [None]);
        let mut plan = plan(&places, &weights);
        hand_on(&network, &mut plan, &[]);
        let (param, out) = write(&network, &plan);
        assert!(param.contains("6=4 8=101\n") && param.contains("7=2 8=1\r\n"), "{param}");
        assert_eq!(out[28..32], 12.0f32.to_le_bytes());
    }

    #[test]
    fn a_quantized_model_is_not_quantized_again() {
        let network = Network::read(PARAM, &bin()).unwrap();
        let weights = weights(&network);
        let (param, out) = write(&network, &plan(&places(&network), &weights));
        let error = Network::read(&param, &out).unwrap_err();
        assert!(matches!(error, QuantizeError::AlreadyQuantized { ref layer } if layer == "one"));
        // Even when the structure does not say so.
        let error = Network::read(PARAM, &out).unwrap_err().to_string();
        assert!(error.contains("\"one\" stores its weights as 8-bit integers"), "{error}");
    }

    #[test]
    fn each_fault_is_a_sentence_with_the_layer() {
        let read = |param: &str, bin: &[u8]| Network::read(param, bin).unwrap_err().to_string();
        let changed = |from: &str, to: &str| {
            assert!(PARAM.contains(from), "{from}");
            read(&PARAM.replacen(from, to, 1), &bin())
        };
        assert!(read("", &[]).contains("7767517 must stand here"));
        let end = "the weights end in layer \"relu\": it needs 4 more bytes, 3 are left";
        assert_eq!(read(PARAM, &bin()[..bin().len() - 1]), end);
        let long = [bin(), vec![0]].concat();
        assert!(read(PARAM, &long).contains("it takes 56 of 57 bytes"), "{}", read(PARAM, &long));
        assert!(changed("6=4", "6=3").contains("layer \"one\": 2 outputs of 1x1 cannot share 3"));
        assert!(changed("5=1", "5=-1").contains("its parameter 5 is -1, no count"));
        assert!(changed("7=2", "7=0").contains("layer \"two\": 2 outputs cannot be in 0 groups"));
        assert!(changed("PReLU", "LSTM ").contains("\"relu\" is a LSTM"));
        assert!(changed("6=4", "6=400000000").contains("the weights end in layer \"one\""));
        let mut scaled = bin();
        scaled[..4].copy_from_slice(&0x0002_C056u32.to_le_bytes());
        assert!(read(PARAM, &scaled).contains("a scale elsewhere (flag 0x0002c056)"));
    }

    proptest! {
        #[test]
        fn a_damaged_model_is_read_or_refused_without_a_panic(
            at in 0..PARAM.len() + 56, bit in 0u8..7, keep in 0usize..57,
        ) {
            let (mut param, mut bytes) = (PARAM.as_bytes().to_vec(), bin());
            match at.checked_sub(PARAM.len()) {
                None => param[at] ^= 1 << bit,
                Some(at) => bytes[at] ^= 1 << bit,
            }
            let read = |bytes: &[u8]| Network::read(std::str::from_utf8(&param).unwrap(), bytes);
            if let Ok(network) = read(&bytes) {
                let weights = network.convs().map(|(at, _)| network.weights(at));
                weights.for_each(drop);
                prop_assert_eq!(write(&network, &Plan::new()).1, bytes.clone());
            }
            if keep < bytes.len() && at >= PARAM.len() {
                prop_assert!(read(&bytes[..keep]).is_err());
            }
        }
    }
}
