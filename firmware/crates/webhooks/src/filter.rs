//! Which announcements a webhook wants. Pure.

use api::event::Event;
use api::problem::FieldProblem;
use api::webhooks::WebhookFilter;

/// Most entries of a list.
const MAX_ENTRIES: usize = 64;

/// Whether `filter` lets `event` through.
pub(crate) fn wants(filter: &WebhookFilter, event: &Event) -> bool {
    fn has<T: PartialEq>(list: Option<&Vec<T>>, item: &T) -> bool {
        list.is_none_or(|list| list.contains(item))
    }
    let one_of = |list: Option<&Vec<String>>, value: Option<&str>| {
        list.is_none_or(|list| value.is_some_and(|value| list.iter().any(|one| one == value)))
    };
    one_of(filter.cameras.as_ref(), event.camera.as_deref())
        && one_of(filter.labels.as_ref(), event.label())
        && filter
            .zones
            .as_ref()
            .is_none_or(|list| event.zones.concerned().any(|zone| list.contains(zone)))
        && has(filter.kinds.as_ref(), &event.kind)
        && has(filter.types.as_ref(), &event.phase)
}

/// What is wrong with `filter`: a list that lets nothing through is a mistake.
pub(crate) fn problems(filter: &WebhookFilter) -> Vec<FieldProblem> {
    let lists = [
        ("cameras", filter.cameras.as_ref().map(Vec::len)),
        ("labels", filter.labels.as_ref().map(Vec::len)),
        ("zones", filter.zones.as_ref().map(Vec::len)),
        ("kinds", filter.kinds.as_ref().map(Vec::len)),
        ("types", filter.types.as_ref().map(Vec::len)),
    ];
    let wrong = lists
        .into_iter()
        .filter(|(_, length)| length.is_some_and(|length| !(1..=MAX_ENTRIES).contains(&length)));
    let problem = |(name, _)| FieldProblem {
        pointer: format!("/filter/{name}"),
        detail: format!("must name 1 to {MAX_ENTRIES}, or be null for all"),
    };
    wrong.map(problem).collect()
}

#[cfg(test)]
mod tests {
    use api::event::{Kind, Phase};

    use super::*;
    use crate::plan::tests::event;

    #[test]
    fn what_is_null_lets_all_through_and_every_list_narrows() {
        let mut car = event(7);
        car.zones.current = vec!["yard".into(), "door".into()];
        let all = WebhookFilter::default();
        assert!(wants(&all, &car));
        let list = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
        let fitting = WebhookFilter {
            cameras: list(&["back", "front"]),
            labels: list(&["car"]),
            zones: list(&["door"]),
            kinds: Some(vec![Kind::Object]),
            types: Some(vec![Phase::New]),
        };
        assert!(wants(&fitting, &car));
        for narrower in [
            WebhookFilter { cameras: list(&["back"]), ..fitting.clone() },
            WebhookFilter { labels: list(&["person"]), ..fitting.clone() },
            WebhookFilter { zones: list(&["gate"]), ..fitting.clone() },
            WebhookFilter { kinds: Some(vec![Kind::Zone]), ..fitting.clone() },
            WebhookFilter { types: Some(vec![Phase::End]), ..fitting },
        ] {
            assert!(!wants(&narrower, &car), "{narrower:?}");
        }
        car.object = None;
        assert!(!wants(&WebhookFilter { labels: list(&["car"]), ..all }, &car));
    }

    #[test]
    fn a_list_that_would_let_nothing_through_is_refused_by_its_name() {
        let filter =
            WebhookFilter { labels: Some(vec![]), kinds: Some(vec![]), ..Default::default() };
        let wrong: Vec<_> = problems(&filter).into_iter().map(|one| one.pointer).collect();
        assert_eq!(wrong, ["/filter/labels", "/filter/kinds"]);
        assert!(problems(&WebhookFilter::default()).is_empty());
    }
}
