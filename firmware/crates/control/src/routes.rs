//! The one list of everything that is served. Every route comes from a documented handler, so the
//! router and the OpenAPI document cannot differ.
//!
//! | module | owns |
//! |---|---|
//! | [`health`] | liveness, readiness, metrics |
//! | [`device`] | version, system |
//! | [`streams`], [`viewing`] | where to watch and who does; WebRTC's signalling and HLS |
//! | [`detector`], [`models`] | what is looked with |
//! | [`webhooks`], [`mqtt`] | where announcements go |
//! | [`gpio`] | inputs and outputs of the device |
//! | [`jobs`] | long work |
//! | [`trials`] | other rules, tried on the past |
//! | [`cameras`] | cameras: state, settings, snapshot, statistics |
//! | [`entries`] | cameras that come and go; zones, lines, privacy masks |
//! | [`parts`] | image, encoder and overlay of a camera |
//! | [`events`] | stored announcements, page by page |
//! | [`past`] | stored tracks, counts over time |
//! | [`seq`] | the number of an announcement, as a caller gives it |
//! | [`live`] | announcements as they happen |
//! | [`socket`] | tracks, statistics and jobs as they happen |
//! | [`setup`], [`auth`], [`users`], [`tokens`] | the first user, coming in, users, ways in for programs |
//! | [`audit`] | the record of changes |
//! | [`certificate`] | the certificate that HTTPS is served with |
//! | [`machine`], [`power`] | name, network, clock; start anew, switch off, reset |
//! | [`logs`], [`issues`], [`diagnostics`] | what happened, what is wrong, all of it in one file |
//! | [`backups`] | settings and users, kept and restored |
//! | [`updates`] | updates of the firmware |
//! | [`settings`] | all settings, their revisions and their schema |
//! | [`pages`] | the landing page, the OpenAPI document and its reference page |

pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod backups;
pub(crate) mod cameras;
pub(crate) mod certificate;
pub(crate) mod detector;
pub(crate) mod device;
pub(crate) mod diagnostics;
pub(crate) mod entries;
pub(crate) mod events;
pub(crate) mod gpio;
pub(crate) mod health;
pub(crate) mod issues;
pub(crate) mod jobs;
pub(crate) mod live;
pub(crate) mod logs;
pub(crate) mod machine;
pub(crate) mod models;
pub(crate) mod mqtt;
pub(crate) mod pages;
pub(crate) mod parts;
pub(crate) mod past;
pub(crate) mod power;
pub(crate) mod seq;
pub(crate) mod settings;
pub(crate) mod setup;
pub(crate) mod socket;
pub(crate) mod streams;
pub(crate) mod tokens;
pub(crate) mod trials;
pub(crate) mod updates;
pub(crate) mod users;
pub(crate) mod viewing;
pub(crate) mod webhooks;

use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::openapi::Document;
use crate::state::App;

/// All routes with their documentation.
pub(crate) fn all() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(setup::get))
        .routes(routes!(setup::claim))
        .routes(routes!(auth::login))
        .routes(routes!(auth::logout))
        .routes(routes!(auth::me))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::delete))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::get, users::patch, users::delete))
        .routes(routes!(users::password))
        .routes(routes!(audit::list))
        .routes(routes!(certificate::get, certificate::put, certificate::delete))
        .routes(routes!(cameras::list, entries::create_camera))
        .routes(routes!(cameras::get, cameras::patch, entries::delete_camera))
        .routes(routes!(cameras::snapshot))
        .routes(routes!(cameras::stats))
        .routes(routes!(cameras::capabilities))
        .routes(routes!(cameras::latency))
        .routes(routes!(cameras::restart))
        .routes(routes!(parts::image::get, parts::image::patch))
        .routes(routes!(parts::encoder::get, parts::encoder::patch))
        .routes(routes!(parts::overlay::get, parts::overlay::patch))
        .routes(routes!(entries::zones::list, entries::zones::create))
        .routes(routes!(entries::zones::get, entries::zones::put, entries::zones::delete))
        .routes(routes!(entries::lines::list, entries::lines::create))
        .routes(routes!(entries::lines::get, entries::lines::put, entries::lines::delete))
        .routes(routes!(entries::masks::list, entries::masks::create))
        .routes(routes!(entries::masks::get, entries::masks::put, entries::masks::delete))
        .routes(routes!(settings::get, settings::patch))
        .routes(routes!(settings::confirm))
        .routes(routes!(settings::rollback))
        .routes(routes!(settings::status))
        .routes(routes!(settings::schema))
        .routes(routes!(settings::revisions))
        .routes(routes!(settings::revision))
        .routes(routes!(events::list))
        .routes(routes!(events::get))
        .routes(routes!(live::events))
        .routes(routes!(past::tracks))
        .routes(routes!(past::timeline))
        .routes(routes!(socket::open))
        .routes(routes!(streams::list))
        .routes(routes!(streams::sessions))
        .routes(routes!(streams::kick))
        .routes(routes!(viewing::page))
        .routes(routes!(viewing::begin))
        .routes(routes!(viewing::trickle, viewing::end))
        .routes(routes!(viewing::file))
        .routes(routes!(trials::backtest))
        .routes(routes!(detector::get, detector::patch))
        .routes(routes!(detector::benchmark))
        .routes(routes!(detector::infer))
        .routes(routes!(models::list, models::add))
        .routes(routes!(models::get, models::delete))
        .routes(routes!(models::activate))
        .routes(routes!(models::quantize))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::get, webhooks::patch, webhooks::delete))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(mqtt::get, mqtt::patch))
        .routes(routes!(mqtt::test))
        .routes(routes!(mqtt::outbox))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::get, jobs::delete))
        .routes(routes!(gpio::get))
        .routes(routes!(gpio::put))
        .routes(routes!(device::system, machine::patch))
        .routes(routes!(machine::network, machine::put_network))
        .routes(routes!(machine::time, machine::put_time))
        .routes(routes!(power::reboot))
        .routes(routes!(power::shut_down))
        .routes(routes!(power::factory_reset))
        .routes(routes!(logs::get))
        .routes(routes!(logs::follow))
        .routes(routes!(diagnostics::get))
        .routes(routes!(issues::list))
        .routes(routes!(issues::fix))
        .routes(routes!(backups::list, backups::create))
        .routes(routes!(backups::restore))
        .routes(routes!(backups::get, backups::delete))
        .routes(routes!(backups::file))
        .routes(routes!(updates::get, updates::patch))
        .routes(routes!(updates::check))
        .routes(routes!(updates::install))
        .routes(routes!(updates::commit))
        .routes(routes!(updates::rollback))
        .routes(routes!(updates::discard))
        .routes(routes!(updates::follow))
        .routes(routes!(updates::uploads::create))
        .routes(routes!(updates::uploads::get, updates::uploads::patch, updates::uploads::delete))
        .routes(routes!(device::version))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .routes(routes!(pages::landing))
        .routes(routes!(pages::openapi))
        .routes(routes!(pages::reference))
        .routes(routes!(pages::reference_file))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_router_has_the_routes_of_the_document_and_no_others() {
        let (router, document) = all().split_for_parts();
        // The router tells its paths to Debug only.
        let shown = format!("{router:?}");
        let routed: BTreeSet<_> = shown
            .split('"')
            .filter(|text| text.starts_with('/') && !text.contains("__private__"))
            .map(str::to_owned)
            .collect();
        let documented: BTreeSet<_> = document.paths.paths.keys().cloned().collect();
        assert_eq!(routed, documented);
        assert!(documented.len() > 15, "{documented:?}");
    }
}
