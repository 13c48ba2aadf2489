//! Layers of settings, from the weakest to the strongest, merged into one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use api::settings::Settings;
use config_rs::{File, FileFormat, Source as _};
use serde_json::{Map, Value, json};

use crate::board::Board;
use crate::compile::compile;
use crate::conform::conform;
use crate::error::{ConfigErrors, Mistake};
use crate::merged::{self, Layer};
use crate::model::Config;
use crate::pointer;
use crate::template::{self, ONLY_CAMERA};
use crate::text;

/// Where settings come from that were made over the API.
pub(crate) const OVER_THE_API: &str = "settings made over the API";
const BUILT_IN: &str = include_str!("../../../config/10-defaults.toml");

/// Where settings come from, from the weakest layer to the strongest. The built-in defaults are
/// always below all of these; what was made over the API (see [`Sources::load`]) is above the files and
/// below the environment.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The board, for its own defaults.
    pub board: Board,
    /// What the machine itself decides: its id, its data folder.
    pub host: HostFacts,
    /// Settings files (TOML), each over the one before.
    pub files: Vec<PathBuf>,
    /// The process's environment; only `EDGECAM__…` is looked at.
    pub env: Vec<(String, String)>,
    /// `key.key=value` from the command line, such as `cameras.front.encoder.bitrate_kbps=800`.
    pub set: Vec<String>,
    /// `--source`: what the only camera shows (see [`load`]).
    pub source: Option<String>,
}

/// What the machine itself decides where the owner has not. Found out by the daemon; the layer
/// above the board's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// Default of `node.id`.
    pub node_id: String,
    /// Default of `data.dir`.
    pub data_dir: PathBuf,
}

impl Default for HostFacts {
    fn default() -> Self {
        Self { node_id: "ec-000000".into(), data_dir: "/var/lib/edgecam".into() }
    }
}

/// Settings that were read, merged and checked.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The merged settings, complete: every camera spelled out, no `cameras.default` left.
    pub settings: Settings,
    /// The same, checked.
    pub config: Config,
    /// Which layer each setting comes from, by JSON pointer.
    pub provenance: BTreeMap<String, String>,
}

/// Reads all layers, merges and compiles them; nothing was made over the API.
///
/// `cameras.default` is a template: every camera starts from it. Without any other camera there is
/// one called `cam`. `layers.source` is the source of that one, or of the only configured camera.
///
/// # Errors
/// Every mistake of every layer at once, also of values that a stronger layer overrides.
pub fn load(layers: &Layers) -> Result<Loaded, ConfigErrors> {
    Sources::read(layers).load(&Value::Object(Map::new()))
}

/// All layers but what is made over the API, read once: what a setting goes back to does not change
/// while the daemon runs.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Below what is made over the API.
    below: Vec<Layer>,
    /// Above it.
    above: Vec<Layer>,
    /// What is wrong with them.
    mistakes: Vec<Mistake>,
}

impl Sources {
    /// Reads `layers`. What is wrong with them is told by [`Self::load`].
    pub fn read(layers: &Layers) -> Self {
        let mut mistakes = Vec::new();
        let mut below = vec![
            toml_layer("built-in defaults", BUILT_IN, &mut mistakes),
            toml_layer(
                &format!("defaults of board {}", layers.board.name()),
                layers.board.defaults(),
                &mut mistakes,
            ),
            host_layer(&layers.host),
        ];
        below.extend(layers.files.iter().filter_map(|path| file_layer(path, &mut mistakes)));
        let mut above = vec![text_layer(text::from_env(&layers.env), &mut mistakes)];
        let command_line = text::from_command_line(&layers.set, &mut mistakes);
        above.push(text_layer(command_line, &mut mistakes));
        if let Some(source) = &layers.source {
            let so_far = [below.clone(), above.clone()].concat();
            let so_far = merged::merge(so_far, &mut mistakes);
            above.extend(source_layer(source, &so_far.value, &mut mistakes));
        }
        Self { below, above, mistakes }
    }

    /// Merges the layers with `made`, all that was made over the API, and compiles them. `made` is an
    /// object that holds no more than was made: it may have one field of a zone whose polygon comes
    /// from a file.
    ///
    /// # Errors
    /// Every mistake of every layer at once, also of values that a stronger layer overrides.
    pub fn load(&self, made: &Value) -> Result<Loaded, ConfigErrors> {
        let mut mistakes = self.mistakes.clone();
        let api = self.api_layer(made, &mut mistakes);
        let all = [self.below.clone(), vec![api], self.above.clone()].concat();
        let merged = merged::merge(all, &mut mistakes);
        let own = merged.origins.clone();
        let tree = template::expand(merged);
        let settings: Settings = serde_json::from_value(tree.value).unwrap_or_else(|error| {
            // Unreachable: every layer conforms, and merging keeps that. Said instead of assumed.
            mistakes.push(Mistake::new("", None, error.to_string()));
            Settings::default()
        });
        match compile(&settings) {
            Ok(config) if mistakes.is_empty() => {
                Ok(Loaded { settings, config, provenance: tree.origins })
            }
            Ok(_) => Err(ConfigErrors::of(mistakes)),
            Err(errors) => {
                mistakes.extend(errors.mistakes().iter().map(|mistake| located(mistake, &own)));
                Err(ConfigErrors::of(mistakes))
            }
        }
    }

    /// The data folder, which what is made over the API has no say in: that lies there. `None`: it is
    /// not known for the mistakes in the layers.
    pub fn data_dir(&self) -> Option<PathBuf> {
        let dir = self.without_api().pointer("/data/dir")?.as_str().map(PathBuf::from);
        dir.filter(|dir| !dir.as_os_str().is_empty())
    }

    /// What the environment and the command line set, by JSON pointer, with the layer that does: the
    /// API cannot change it. What they set in the template for cameras it can.
    pub fn fixed(&self) -> BTreeMap<String, String> {
        let mut fixed = merged::merge(self.above.clone(), &mut Vec::new()).origins;
        let template = pointer::of(["cameras", template::TEMPLATE]);
        fixed.retain(|at, origin| {
            !origin.is_empty() && *at != template && !at.starts_with(&format!("{template}/"))
        });
        fixed
    }

    /// The merged layers, nothing made over the API: every camera that they name spelled out.
    pub(crate) fn without_api(&self) -> Value {
        let all = [self.below.clone(), self.above.clone()].concat();
        let mut value = merged::merge(all, &mut Vec::new()).value;
        template::spell_out(&mut value);
        value
    }

    /// `made` as a layer, without what settings cannot have. It is looked at over the other layers:
    /// what must be there may be there below it.
    fn api_layer(&self, made: &Value, mistakes: &mut Vec<Mistake>) -> Layer {
        let all = [self.below.clone(), self.above.clone()].concat();
        let mut whole = merged::merge(all, mistakes).value;
        template::merge(&mut whole, made.clone());
        template::spell_out(&mut whole);
        let wrong = conform(&mut whole);
        mistakes.extend(wrong.into_iter().map(|mistake| mistake.with_origin(OVER_THE_API)));
        let mut made = made.clone();
        keep_what_is_in(&mut made, &whole);
        Layer::of(OVER_THE_API, made)
    }
}

/// The built-in defaults, `cameras.default` among them.
pub(crate) fn built_in() -> Value {
    toml_layer("built-in defaults", BUILT_IN, &mut Vec::new()).value
}

/// Takes out of `tree` what is not in `whole`.
fn keep_what_is_in(tree: &mut Value, whole: &Value) {
    let (Value::Object(tree), Value::Object(whole)) = (tree, whole) else { return };
    tree.retain(|key, _| whole.contains_key(key));
    for (key, value) in tree {
        keep_what_is_in(value, &whole[key]);
    }
}

/// `mistake`, moved to the template where that is what set the value, with its origin.
fn located(mistake: &Mistake, own: &BTreeMap<String, String>) -> Mistake {
    let under = |at: &str| {
        let below = format!("{at}/");
        own.iter()
            .find(|(leaf, _)| *leaf == at || leaf.starts_with(&below))
            .or_else(|| own.iter().find(|(leaf, _)| at.starts_with(&format!("{leaf}/"))))
            .map(|(_, origin)| origin.clone())
    };
    let here = under(&mistake.pointer).map(|origin| (mistake.pointer.clone(), origin));
    let found = here.or_else(|| {
        let at = template::in_template(&mistake.pointer)?;
        let origin = under(&at)?;
        Some((at, origin))
    });
    match found {
        Some((pointer, origin)) => Mistake { pointer, origin: Some(origin), ..mistake.clone() },
        None => mistake.clone(),
    }
}

fn toml_layer(origin: &str, text: &str, mistakes: &mut Vec<Mistake>) -> Layer {
    let mut value = Value::Object(Map::new());
    match File::from_str(text, FileFormat::Toml).collect() {
        Ok(table) => {
            let raw = merged::to_json(&config_rs::Value::from(table), "", origin, mistakes);
            value = raw.unwrap_or(value);
        }
        Err(error) => {
            let reason = format!("{origin} is no TOML: {}", error.to_string().trim());
            mistakes.push(Mistake::new("", None, reason));
        }
    }
    let wrong = conform(&mut value);
    mistakes.extend(wrong.into_iter().map(|mistake| mistake.with_origin(origin)));
    Layer::of(origin, value)
}

fn file_layer(path: &Path, mistakes: &mut Vec<Mistake>) -> Option<Layer> {
    let origin = format!("file {}", path.display());
    match std::fs::read_to_string(path) {
        Ok(text) => Some(toml_layer(&origin, &text, mistakes)),
        Err(error) => {
            let reason = format!("settings {origin} cannot be read: {error}");
            mistakes.push(Mistake::new("", None, reason));
            None
        }
    }
}

fn host_layer(host: &HostFacts) -> Layer {
    let value = json!({
        "node": { "id": host.node_id },
        "data": { "dir": host.data_dir.to_string_lossy() },
    });
    Layer::of("this machine", value)
}

fn text_layer(settings: Vec<text::TextSetting>, mistakes: &mut Vec<Mistake>) -> Layer {
    let (mut value, origins, wrong) = text::read(settings);
    mistakes.extend(wrong);
    let layer = Layer { value: Value::Null, origins };
    for mistake in conform(&mut value) {
        let origin = layer.origin(&mistake.pointer).to_owned();
        mistakes.push(mistake.with_origin(&origin));
    }
    Layer { value, ..layer }
}

/// `--source` as a layer: of the only camera, whatever it is called.
fn source_layer(source: &str, so_far: &Value, mistakes: &mut Vec<Mistake>) -> Option<Layer> {
    let cameras = template::camera_ids(so_far);
    let camera = match cameras.as_slice() {
        [] => ONLY_CAMERA,
        [only] => only,
        several => {
            let reason = format!(
                "--source does not say which of the cameras {} it is for; \
                 use --set cameras.<id>.source=… instead",
                several.join(", ")
            );
            mistakes.push(Mistake::new("", None, reason));
            return None;
        }
    };
    let value = json!({ "cameras": { camera: { "source": source } } });
    Some(Layer::of("command line, --source", value))
}
