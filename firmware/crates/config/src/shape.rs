//! The shape of the settings: which fields there are, of what type, with what documentation. Read
//! off the schema that `api::settings` derives, so it cannot disagree with it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use api::settings::Settings;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayItems, Object, Ref, Schema, SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

/// What may stand somewhere.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Named fields, in the order in which they are documented.
    Group(Vec<Field>),
    /// Entries under names that the owner chooses.
    Map {
        /// How the names are made.
        keys: Keys,
        /// What stands under each.
        of: Box<Shape>,
    },
    /// A list.
    List(Box<Shape>),
    /// Text.
    Text,
    /// One of these words.
    Word(Vec<String>),
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// True or false.
    Switch,
}

/// How the names of a map are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Lower case letters, digits and `-`.
    Ids,
    /// Names of a model's classes.
    Labels,
}

/// A named field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it says about itself.
    pub doc: String,
    /// Whether it must be there when what it belongs to is.
    pub required: bool,
    /// What may stand there.
    pub shape: Shape,
}

impl Shape {
    /// The shape of all settings.
    pub fn settings() -> &'static Self {
        static SHAPE: LazyLock<Shape> = LazyLock::new(|| {
            let mut schemas = Vec::new();
            Settings::schemas(&mut schemas);
            let reader = Reader { schemas: schemas.into_iter().collect() };
            reader.shape("", &Settings::schema())
        });
        &SHAPE
    }

    /// What stands under `key`; `None`: nothing may.
    pub fn child(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Group(fields) => fields.iter().find(|f| f.name == key).map(|f| &f.shape),
            Self::Map { of, .. } => Some(of),
            _ => None,
        }
    }

    /// What it is called in a sentence that asks for it.
    pub fn noun(&self) -> String {
        match self {
            Self::Group(_) | Self::Map { .. } => "a table".into(),
            Self::List(of) => format!("a list ({} each)", of.noun()),
            Self::Text => "text".into(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Whole => "a whole number".into(),
            Self::Number => "a number".into(),
            Self::Switch => "true or false".into(),
        }
    }
}

struct Reader {
    schemas: BTreeMap<String, RefOr<Schema>>,
}

impl Reader {
    fn shape(&self, name: &str, schema: &RefOr<Schema>) -> Shape {
        match schema {
            RefOr::Ref(reference) => self.resolve(name, reference),
            RefOr::T(schema) => self.plain(name, schema),
        }
    }

    fn resolve(&self, name: &str, reference: &Ref) -> Shape {
        let target = reference.ref_location.rsplit('/').next().unwrap_or_default();
        self.schemas.get(target).map_or(Shape::Text, |schema| self.shape(name, schema))
    }

    fn plain(&self, name: &str, schema: &Schema) -> Shape {
        match schema {
            Schema::Array(array) => match &array.items {
                ArrayItems::RefOrSchema(items) => Shape::List(Box::new(self.shape("", items))),
                ArrayItems::False => Shape::List(Box::new(Shape::Text)),
            },
            Schema::Object(object) => self.object(name, object),
            // `Option` of a named type: null, or that type.
            Schema::OneOf(one) => one
                .items
                .iter()
                .find(|item| !is_null(item))
                .map_or(Shape::Text, |item| self.shape(name, item)),
            Schema::AllOf(all) => {
                all.items.first().map_or(Shape::Text, |item| self.shape(name, item))
            }
            _ => Shape::Text,
        }
    }

    fn object(&self, name: &str, object: &Object) -> Shape {
        if let Some(words) = &object.enum_values {
            return Shape::Word(words.iter().filter_map(|w| w.as_str().map(Into::into)).collect());
        }
        if !object.properties.is_empty() {
            return Shape::Group(self.fields(object));
        }
        match object.additional_properties.as_deref() {
            Some(AdditionalProperties::RefOr(of)) => {
                let keys = if name.starts_with("class_") { Keys::Labels } else { Keys::Ids };
                Shape::Map { keys, of: Box::new(self.shape("", of)) }
            }
            _ => scalar(&object.schema_type),
        }
    }

    fn fields(&self, object: &Object) -> Vec<Field> {
        let field = |(name, schema): (&String, &RefOr<Schema>)| Field {
            name: name.clone(),
            doc: description(schema),
            required: object.required.contains(name),
            shape: self.shape(name, schema),
        };
        object.properties.iter().map(field).collect()
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(o)) if o.schema_type == SchemaType::Type(Type::Null))
}

fn description(schema: &RefOr<Schema>) -> String {
    match schema {
        RefOr::Ref(reference) => reference.description.clone(),
        RefOr::T(Schema::Object(object)) => object.description.clone().unwrap_or_default(),
        RefOr::T(Schema::Array(array)) => array.description.clone().unwrap_or_default(),
        RefOr::T(Schema::OneOf(one)) => one.description.clone().unwrap_or_else(|| {
            one.items.iter().map(description).find(|d| !d.is_empty()).unwrap_or_default()
        }),
        RefOr::T(Schema::AllOf(all)) => all.description.clone().unwrap_or_default(),
        RefOr::T(_) => String::new(),
    }
}

fn scalar(schema_type: &SchemaType) -> Shape {
    let types = match schema_type {
        SchemaType::Type(one) => std::slice::from_ref(one),
        SchemaType::Array(types) => types.as_slice(),
        SchemaType::AnyValue => &[],
    };
    match types.iter().find(|t| **t != Type::Null) {
        Some(Type::Integer) => Shape::Whole,
        Some(Type::Number) => Shape::Number,
        Some(Type::Boolean) => Shape::Switch,
        Some(Type::Object) => Shape::Group(Vec::new()),
        _ => Shape::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> &'static Shape {
        path.split('.').fold(Shape::settings(), |shape, key| shape.child(key).expect(path))
    }

    #[test]
    fn every_type_of_setting_is_recognised() {
        assert_eq!(at("api.listen"), &Shape::Text);
        assert_eq!(at("mqtt.enabled"), &Shape::Switch);
        assert_eq!(at("detector.threads"), &Shape::Whole);
        assert_eq!(at("cameras.any.detection.max_fps"), &Shape::Number);
        assert_eq!(at("cameras.any.detection.labels"), &Shape::List(Box::new(Shape::Text)));
        assert!(matches!(at("cameras.any.encoder.prefer"), Shape::Word(words) if words.len() == 3));
        assert!(matches!(at("cameras.any.zones"), Shape::Map { keys: Keys::Ids, .. }));
        assert!(matches!(
            at("cameras.any.detection.class_filters"),
            Shape::Map { keys: Keys::Labels, .. }
        ));
        assert!(matches!(at("cameras.any.zones.door.polygon"), Shape::List(_)));
    }

    #[test]
    fn every_setting_documents_itself() {
        fn check(path: &str, shape: &Shape) {
            match shape {
                Shape::Group(fields) => {
                    assert!(!fields.is_empty(), "{path} has no fields");
                    for field in fields {
                        let path = format!("{path}/{}", field.name);
                        assert!(!field.doc.is_empty(), "{path} has no documentation");
                        check(&path, &field.shape);
                    }
                }
                Shape::Map { of, .. } | Shape::List(of) => check(&format!("{path}/*"), of),
                _ => {}
            }
        }
        check("", Shape::settings());
    }
}
