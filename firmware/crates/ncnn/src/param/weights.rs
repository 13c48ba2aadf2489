//! Whether the numbers of a layer with weights agree with each other. ncnn computes sizes of its
//! buffers from some of them and copies by others.

/// Most outputs of a layer.
const MAX_OUTPUTS: usize = 1 << 16;
/// Longest side of a kernel, stride or dilation.
const MAX_SIDE: usize = 256;

/// Checks a layer of `kind` whose parameter `id` is `number(id)`; `None` where the file does not name
/// it.
pub(super) fn check(kind: &str, number: impl Fn(i32) -> Option<f64>) -> Result<(), String> {
    // ncnn would compute with what is no count as with one; its default is for what is absent.
    let param = |id| match number(id) {
        None => Ok(None),
        Some(value) => count(value).map(Some).ok_or_else(|| format!("{id}={value} is no count")),
    };
    match kind {
        "Convolution" | "ConvolutionDepthWise" => convolution(kind, param),
        "InnerProduct" => {
            let (outputs, weights) = (param(0)?.unwrap_or(0), param(2)?.unwrap_or(0));
            whole(outputs, weights)
                .then_some(())
                .ok_or_else(|| format!("{outputs} outputs cannot share {weights} weights"))
        }
        _ => Ok(()),
    }
}

/// `value`, where it counts something.
pub(super) fn count(value: f64) -> Option<usize> {
    (value >= 0.0 && value.fract() == 0.0 && value < 1e9).then_some(value as usize)
}

fn convolution(
    kind: &str,
    param: impl Fn(i32) -> Result<Option<usize>, String>,
) -> Result<(), String> {
    let (outputs, weights) = (param(0)?.unwrap_or(0), param(6)?.unwrap_or(0));
    for (what, across, down) in [("kernel", 1, 11), ("dilation", 2, 12), ("stride", 3, 13)] {
        let across = param(across)?.unwrap_or(usize::from(what != "kernel"));
        let down = param(down)?.unwrap_or(across);
        if ![across, down].iter().all(|side| (1..=MAX_SIDE).contains(side)) {
            return Err(format!("a {what} of {across}x{down} is outside 1 to {MAX_SIDE}"));
        }
    }
    let width = param(1)?.unwrap_or(0);
    let height = param(11)?.unwrap_or(width);
    if !whole(outputs.saturating_mul(width * height), weights) || outputs > MAX_OUTPUTS {
        return Err(format!(
            "{outputs} outputs of {width}x{height} cannot share {weights} weights"
        ));
    }
    if kind == "ConvolutionDepthWise" {
        let groups = param(7)?.unwrap_or(1);
        if !whole(groups, outputs) {
            return Err(format!("{outputs} outputs cannot be in {groups} groups"));
        }
    }
    Ok(())
}

/// Whether `total` is made of whole `parts`, at least one of each.
fn whole(parts: usize, total: usize) -> bool {
    parts > 0 && total > 0 && total.is_multiple_of(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(kind: &str, numbers: &[(i32, i32)]) -> String {
        let of = |id| numbers.iter().find(|(n, _)| *n == id).map(|(_, value)| (*value).into());
        check(kind, of).err().unwrap_or_default()
    }

    #[test]
    fn weights_that_fill_every_kernel_are_taken() {
        assert_eq!(refusal("Convolution", &[(0, 4), (1, 3), (6, 108)]), "");
        assert_eq!(refusal("Convolution", &[(0, 4), (1, 3), (11, 1), (6, 36)]), "");
        assert_eq!(refusal("ConvolutionDepthWise", &[(0, 4), (1, 3), (6, 36), (7, 4)]), "");
        assert_eq!(refusal("InnerProduct", &[(0, 2), (2, 16)]), "");
        assert_eq!(refusal("Pooling", &[(0, 0)]), "");
    }

    #[test]
    fn numbers_that_contradict_each_other_are_named() {
        for (kind, numbers, expected) in [
            ("Convolution", &[(0, 4), (1, 3), (6, 109)][..], "4 outputs of 3x3 cannot share 109"),
            ("Convolution", &[(0, 4), (6, 108)], "a kernel of 0x0 is outside 1 to 256"),
            ("Convolution", &[(0, 4), (1, 3), (3, 0), (6, 108)], "a stride of 0x0"),
            ("Convolution", &[(0, 4), (1, 3), (12, 999), (6, 108)], "a dilation of 1x999"),
            ("Convolution", &[(0, 0), (1, 3), (6, 108)], "0 outputs of 3x3"),
            ("Convolution", &[(0, 4), (1, 3), (3, -2), (6, 108)], "3=-2 is no count"),
            ("Convolution", &[(0, 4), (1, 3), (12, -1), (6, 108)], "12=-1 is no count"),
            ("ConvolutionDepthWise", &[(0, 4), (1, 3), (6, 36), (7, -4)], "7=-4 is no count"),
            ("ConvolutionDepthWise", &[(0, 4), (1, 3), (6, 36), (7, 3)], "4 outputs cannot be in"),
            ("InnerProduct", &[(0, 3), (2, 16)], "3 outputs cannot share 16 weights"),
        ] {
            let refusal = refusal(kind, numbers);
            assert!(refusal.contains(expected), "{refusal}");
        }
    }

    #[test]
    fn what_is_named_and_no_count_is_not_taken_for_absent() {
        let half = |id| {
            [(0, 4.0), (1, 3.0), (3, 1.5), (6, 108.0)].iter().find(|(n, _)| *n == id).map(|n| n.1)
        };
        assert_eq!(check("Convolution", half), Err("3=1.5 is no count".to_owned()));
        assert_eq!([-1.0, 0.5, f64::NAN, 1e9].map(count), [None; 4]);
    }
}
