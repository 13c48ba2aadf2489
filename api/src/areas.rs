//! Cameras, zones, lines and privacy masks as entries of a list: their settings with their id.

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::settings::{CameraSettings, LineSettings, PrivacyMaskSettings, ZoneSettings};

/// A camera that is to be added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCamera {
    /// Its id, which stays: 1 to 32 lower case letters, digits and `-`.
    #[schema(example = "yard")]
    pub id: String,
    /// Its settings; what is absent has its default.
    #[serde(default)]
    #[schema(required = false)]
    pub settings: CameraSettings,
}

/// What an id is made of.
const ID: &str = "Its id, which stays: 1 to 32 lower case letters, digits and `-`.";

/// A type of settings with an id beside its fields. The schema is that of the settings with one more field:
/// what `allOf` would make of two that allow no other fields fits nothing.
macro_rules! entry {
    ($Entry:ident, $Settings:ident, $what:literal, $example:literal) => {
        #[doc = $what]
        #[derive(Clone, Debug, Default, PartialEq, Serialize)]
        pub struct $Entry {
            /// Its id.
            pub id: String,
            /// Its settings.
            #[serde(flatten)]
            pub settings: $Settings,
        }

        impl PartialSchema for $Entry {
            fn schema() -> RefOr<Schema> {
                let id = ObjectBuilder::new().schema_type(Type::String).description(Some(ID));
                let id = id.examples([$example]).build();
                match $Settings::schema() {
                    RefOr::T(Schema::Object(mut object)) => {
                        object.properties.insert("id".to_owned(), id.into());
                        object.required.push("id".to_owned());
                        object.description = Some($what.to_owned());
                        RefOr::T(Schema::Object(object))
                    }
                    other => other,
                }
            }
        }

        impl ToSchema for $Entry {
            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                $Settings::schemas(schemas);
            }
        }
    };
}

entry!(ZoneEntry, ZoneSettings, "A zone with its id.", "door");
entry!(LineEntry, LineSettings, "A line with its id.", "gate");
entry!(PrivacyMaskEntry, PrivacyMaskSettings, "A privacy mask with its id.", "neighbours");
