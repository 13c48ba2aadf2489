//! What is followed of the cameras as it happens.

use api::live::LiveTopic;
use control::ports::{Live, LiveSource};

use crate::cameras::Cameras;

impl Live for Cameras {
    fn follow(&self, topic: LiveTopic, wanted: &dyn Fn(&str) -> bool) -> Vec<LiveSource> {
        let cameras = self.iter().filter(|(id, _)| wanted(id));
        cameras.filter_map(|(_, camera)| camera.follow(topic)).collect()
    }
}
