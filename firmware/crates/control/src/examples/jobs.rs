//! Examples of jobs, models, and what is done with the detector.

use std::collections::BTreeMap;

use api::access::Role;
use api::backtest::{
    RuleBacktest, RuleEvent, RuleTally, RuleTrial, TrialChange, TrialEvent, TrialReason,
};
use api::jobs::{Job, JobKind, JobResult, JobState};
use api::models::{
    BenchmarkDetector, BenchmarkRow, DetectorBenchmark, Inference, InferredObject, NewModel,
    QuantizeModel, QuantizedModel,
};
use serde_json::{Value, json as raw};
use utoipa::openapi::{OpenApi, RefOr};

use super::{JSON, MODEL, SHA256, model, operation, time};
use crate::extract::MERGE_PATCH_JSON;
use crate::patch::json;

const ID: &str = "01K4Z9T7QW3X5Y6Z7A8B9C0D1E";

/// Puts an example into every JSON answer and request body.
pub(super) fn put_into(document: &mut OpenApi) {
    for (id, status, example) in answers() {
        let Some(operation) = operation(document, id) else { continue };
        if let Some(RefOr::T(answer)) = operation.responses.responses.get_mut(status) {
            put!(answer.content, JSON, example);
        }
    }
    for (id, media_type, example) in bodies() {
        let body = operation(document, id).and_then(|operation| operation.request_body.as_mut());
        if let Some(RefOr::T(body)) = body {
            put!(body.content, media_type, example);
        }
    }
}

fn answers() -> Vec<(&'static str, &'static str, Value)> {
    let running = |kind| Job {
        state: JobState::Running,
        progress: 0.25,
        stage: "ranges, picture 12 of 48".into(),
        ended_at: None,
        result: None,
        ..job(kind, None)
    };
    vec![
        ("list_jobs", "200", json(&[done(), job(JobKind::BenchmarkDetector, Some(benchmark()))])),
        ("get_job", "200", json(&job(JobKind::BacktestRules, Some(backtest())))),
        (
            "delete_job",
            "200",
            json(&Job {
                state: JobState::Cancelled,
                result: None,
                ..job(JobKind::QuantizeModel, None)
            }),
        ),
        ("benchmark_detector", "202", json(&running(JobKind::BenchmarkDetector))),
        ("backtest_rules", "202", json(&running(JobKind::BacktestRules))),
        ("quantize_model", "202", json(&running(JobKind::QuantizeModel))),
        ("add_model", "201", json(&model())),
        ("add_model", "202", json(&running(JobKind::AddModel))),
        ("list_models", "200", json(&[model()])),
        ("get_model", "200", detail()),
        ("activate_model", "200", super::settings::applied()),
        ("activate_model", "202", super::settings::applying()),
        ("infer_picture", "200", json(&inference())),
    ]
}

fn bodies() -> Vec<(&'static str, &'static str, Value)> {
    let trial = RuleTrial {
        zones: Some(BTreeMap::from([(
            "door".into(),
            raw!({ "polygon": [[0.1, 0.5], [0.4, 0.5], [0.4, 0.9], [0.1, 0.9]] }),
        )])),
        lines: None,
        from: time("2026-07-01T00:00:00Z"),
        to: time("2026-07-02T00:00:00Z"),
    };
    let url = "https://example.org/models/forklifts.toml";
    let new =
        NewModel { manifest_url: Some(url.into()), sha256: Some(SHA256.into()), manifest: None };
    let how = QuantizeModel {
        camera: Some("front".into()),
        pictures: Some(48),
        ..QuantizeModel::default()
    };
    let what =
        BenchmarkDetector { models: Some(vec![MODEL.into()]), ..BenchmarkDetector::default() };
    let patch = raw!({ "threads": 2, "precision": null });
    vec![
        ("backtest_rules", JSON, json(&trial)),
        ("add_model", JSON, json(&new)),
        ("quantize_model", JSON, json(&how)),
        ("benchmark_detector", JSON, json(&what)),
        ("patch_detector", JSON, patch.clone()),
        ("patch_detector", MERGE_PATCH_JSON, patch),
    ]
}

fn job(kind: JobKind, result: Option<JobResult>) -> Job {
    Job {
        id: ID.into(),
        kind,
        state: JobState::Done,
        progress: 1.0,
        stage: "done".into(),
        camera: Some("front".into()).filter(|_| kind == JobKind::BacktestRules),
        role: Role::Operator,
        created_by: "owner".into(),
        created_at: time("2026-07-01T12:00:00Z").unwrap_or_default(),
        started_at: time("2026-07-01T12:00:00Z"),
        ended_at: time("2026-07-01T12:00:02Z"),
        result,
        problem: None,
    }
}

fn done() -> Job {
    let quantized = QuantizedModel {
        model: api::resources::Model { name: format!("{MODEL}_int8"), ..model() },
        pictures: 48,
        noise: 0.0037,
        int8_layers: 71,
        layers: 84,
        float_bytes: 2_345_416,
        int8_bytes: 1_300_112,
    };
    job(JobKind::QuantizeModel, Some(JobResult::QuantizeModel(quantized)))
}

fn backtest() -> JobResult {
    let door = Some("door".to_owned());
    let at = time("2026-07-01T08:15:30Z").unwrap_or_default();
    JobResult::BacktestRules(RuleBacktest {
        camera: "front".into(),
        from: time("2026-07-01T00:00:00Z").unwrap_or_default(),
        to: time("2026-07-02T00:00:00Z").unwrap_or_default(),
        tracks: 412,
        pictures: 86_400,
        rules: vec![RuleTally {
            zone: door.clone(),
            line: None,
            event: RuleEvent::Stay,
            before: 12,
            after: 13,
        }],
        events: vec![TrialEvent {
            change: TrialChange::Gained,
            because: Some(TrialReason::Place),
            zone: door,
            line: None,
            event: RuleEvent::Stay,
            label: Some("person".into()),
            from: at,
            to: at,
        }],
        more_events: 0,
    })
}

fn detail() -> Value {
    let manifest = raw!({
        "name": MODEL, "title": "NanoDet-Plus-m 320", "family": "nanodet-plus",
        "licence": "Apache-2.0", "source": "nihui/ncnn-webassembly-nanodet@ac68cf7",
        "param": { "file": "nanodet_plus_m.param", "sha256": SHA256 },
        "bin": { "file": "nanodet_plus_m.bin", "sha256": SHA256 },
        "input": {
            "blob": "in0", "width": 320, "height": 320, "fit": "letterbox", "channels": "bgr",
            "mean": [103.53, 116.28, 123.675], "norm": [0.017429, 0.017507, 0.017125],
        },
        "heads": [{ "stride": 8, "combined": "231" }, { "stride": 16, "combined": "228" }],
        "reg_max": 7, "class_activation": "logits", "cell_offset": 0.0,
        "labels": ["person", "car"],
    });
    // In text: the shape is held against the schema by the test below.
    let mut detail = json(&model());
    detail["manifest"] = manifest;
    detail
}

fn inference() -> Inference {
    Inference {
        model: MODEL.into(),
        width: 1280,
        height: 720,
        objects: vec![InferredObject {
            label: "car".into(),
            score: 0.82,
            r#box: [0.25, 0.5, 0.25, 0.25],
            box_px: [320.0, 360.0, 320.0, 180.0],
        }],
        infer_ms: 13.5,
    }
}

fn benchmark() -> JobResult {
    let row = BenchmarkRow {
        model: MODEL.into(),
        width: 320,
        height: 320,
        precision: "half".into(),
        threads: 2,
        median_ms: 41.2,
        p95_ms: 48.9,
        cpu_ms: 80.3,
        coco_map: Some(30.7),
    };
    JobResult::BenchmarkDetector(DetectorBenchmark { rows: vec![row] })
}

#[cfg(test)]
mod tests {
    use api::models::ModelDetail;

    use super::*;

    #[test]
    fn the_model_of_the_example_is_one() {
        let detail: ModelDetail = serde_json::from_value(detail()).unwrap();
        assert_eq!(detail.model.name, detail.manifest.name);
    }

    #[test]
    fn a_result_goes_through_json_unchanged() {
        for result in [backtest(), benchmark(), JobResult::AddModel(model())] {
            let text = serde_json::to_string(&result).unwrap();
            assert_eq!(serde_json::from_str::<JobResult>(&text).unwrap(), result);
        }
    }
}
