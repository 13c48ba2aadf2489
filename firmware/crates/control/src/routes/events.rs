//! Stored announcements, page by page.

use access::Principal;
use api::event::{Event, Kind, Phase};
use api::problem::FieldProblem;
use api::resources::EventPage;
use axum::Json;
use axum::extract::State;
use base::error::ErrorKind;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::extract::{PathName, QueryOf};
use crate::gate::caller::Caller;
use crate::openapi::{Invalid, Malformed, NotFound};
use crate::ports::{EventFilter, EventOrder, EventQuery, Ports};
use crate::problem::Failure;
use crate::routes::seq::Seq;

/// Items of a page where no limit is asked for.
const LIMIT: u32 = 100;
/// Most items of a page.
const MAX_LIMIT: u32 = 1000;

/// Order of announcements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    Desc,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// Only announcements above this `seq`.
    #[param(value_type = u64, minimum = 0, maximum = 9_007_199_254_740_991_u64, example = 4711, required = false)]
    after_seq: Option<Seq>,
    /// Only announcements of this camera.
    #[param(example = "front", nullable = false)]
    camera: Option<String>,
    /// Only announcements of objects of this class, or of inputs with this label.
    #[param(example = "car", nullable = false)]
    label: Option<String>,
    /// Only announcements about this.
    #[param(inline, nullable = false)]
    kind: Option<Kind>,
    /// Only announcements in this place of an event's life.
    #[serde(rename = "type")]
    #[param(inline, nullable = false)]
    phase: Option<Phase>,
    /// Only announcements about this zone, or of an object that was in it then.
    #[param(example = "door", nullable = false)]
    zone: Option<String>,
    /// Only announcements that were stored at this time or later.
    #[param(value_type = Option<String>, format = DateTime, nullable = false)]
    from: Option<Timestamp>,
    /// Only announcements that were stored before this time.
    #[param(value_type = Option<String>, format = DateTime, nullable = false)]
    to: Option<Timestamp>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 1000, default = 100, nullable = false)]
    limit: Option<u32>,
    /// `next_cursor` of the page before; the other parameters stay as they were.
    #[param(example = "desc-4611", nullable = false)]
    cursor: Option<String>,
    /// By `seq`. Default: `desc`, the newest first; with `after_seq`: `asc`.
    #[param(inline, nullable = false)]
    order: Option<Order>,
}

/// Stored announcements
///
/// Page by page: give `next_cursor` as `cursor` for the page after; it is null on the last. The
/// store keeps the newest million announcements or what `data.events_max` says.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "events",
    operation_id = "list_events",
    params(EventsQuery),
    responses(
        (status = 200, description = "A page of announcements.", body = EventPage),
        (status = 400, response = Malformed),
        (status = 422, response = Invalid),
    )
)]
pub(crate) async fn list(
    State(ports): State<Ports>,
    Caller(caller): Caller,
    QueryOf(query): QueryOf<EventsQuery>,
) -> Result<Json<EventPage>, Failure> {
    let mut page = Page::of(query)?;
    page.filter.within = caller.grant.cameras;
    let asked = EventQuery { filter: page.filter, order: page.order, limit: page.limit + 1 };
    let mut items = ports.events.query(asked).await?;
    let more = items.len() > page.limit;
    items.truncate(page.limit);
    let last = items.last().map(|event| event.seq);
    // Falling order knows no lower end of its own.
    items.retain(|event| event.seq > page.above);
    let next_cursor = last.filter(|_| more).and_then(|last| match page.order {
        EventOrder::After(_) => Some(format!("asc-{last}")),
        EventOrder::Before(_) if last <= page.above + 1 => None,
        EventOrder::Before(_) => Some(format!("desc-{last}")),
    });
    Ok(Json(EventPage { items, next_cursor }))
}

/// What a query asks for.
#[derive(Debug, PartialEq)]
struct Page {
    filter: EventFilter,
    order: EventOrder,
    limit: usize,
    above: u64,
}

impl Page {
    /// Checks `query`.
    fn of(query: EventsQuery) -> Result<Self, Failure> {
        let mut errors = Vec::new();
        let mut wrong = |parameter: &str, detail: &str| {
            errors.push(FieldProblem { pointer: format!("?{parameter}"), detail: detail.into() });
        };
        let limit = query.limit.unwrap_or(LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            wrong("limit", "must be within 1..=1000");
        }
        let cursor = query.cursor.as_deref().map(read_cursor);
        if cursor == Some(None) {
            wrong("cursor", "must be the `next_cursor` of an earlier page");
        }
        let cursor = cursor.flatten();
        if let (Some((of_cursor, _)), Some(order)) = (cursor, query.order)
            && of_cursor != order
        {
            wrong("order", "must be what it was when the cursor was made");
        }
        if let (Some(from), Some(to)) = (query.from, query.to)
            && from >= to
        {
            wrong("from", "must be before `to`");
        }
        if !errors.is_empty() {
            return Err(Failure::input("the query is wrong", errors));
        }
        let above = query.after_seq.map_or(0, |Seq(seq)| seq);
        let usual = if query.after_seq.is_some() { Order::Asc } else { Order::Desc };
        let order = match cursor {
            Some((Order::Asc, seq)) => EventOrder::After(seq.max(above)),
            Some((Order::Desc, seq)) => EventOrder::Before(Some(seq)),
            None => match query.order.unwrap_or(usual) {
                Order::Asc => EventOrder::After(above),
                Order::Desc => EventOrder::Before(None),
            },
        };
        let EventsQuery { camera, label, kind, phase, zone, from, to, .. } = query;
        let filter = EventFilter { within: None, camera, label, kind, phase, zone, from, to };
        Ok(Self { filter, order, limit: limit as usize, above })
    }
}

fn read_cursor(text: &str) -> Option<(Order, u64)> {
    let (order, seq) = text.split_once('-')?;
    let order = match order {
        "asc" => Order::Asc,
        "desc" => Order::Desc,
        _ => return None,
    };
    Some((order, seq.parse().ok()?))
}

/// The newest announcement of an event
///
/// An event's life is `new`, any number of `update`s and one `end` under one `id`; this is the
/// newest of them.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}",
    tag = "events",
    operation_id = "get_event",
    params(("id" = String, Path, description = "Id of the event, a ULID.", example = "01JZ8Q0V7X3C9K2M4N5P6R7S8T")),
    responses(
        (status = 200, description = "Its newest announcement.", body = Event),
        (status = 404, response = NotFound),
    )
)]
pub(crate) async fn get(
    State(ports): State<Ports>,
    Caller(caller): Caller,
    PathName(id): PathName,
) -> Result<Json<Event>, Failure> {
    let newest = ports.events.newest(&id).await?.filter(|event| sees(&caller, event));
    let missing = || {
        let detail = format!("there is no event \"{id}\"; it may be too old to be kept");
        Failure::of(ErrorKind::NotFound, detail)
    };
    Ok(Json(newest.ok_or_else(missing)?))
}

/// Whether `caller` sees what `event` is of: one of their cameras, or with all of them the device.
fn sees(caller: &Principal, event: &Event) -> bool {
    event.camera.as_ref().map_or_else(|| caller.sees_all(), |camera| caller.sees(camera))
}
