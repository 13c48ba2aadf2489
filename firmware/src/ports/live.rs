//! What is followed of the cameras as it happens.

use api::live::LiveTopic;
use control::ports::{Live, LiveSource};
use futures::StreamExt;
use futures::stream::{BoxStream, unfold};

use crate::cameras::Cameras;

impl Live for Cameras {
    fn follow(&self, topic: LiveTopic, wanted: &dyn Fn(&str) -> bool) -> Vec<LiveSource> {
        let cameras = self.all();
        let seen = cameras.iter().filter(|(id, _)| wanted(id));
        seen.filter_map(|(_, camera)| camera.follow(topic)).collect()
    }

    fn turnover(&self) -> BoxStream<'static, ()> {
        unfold(self.watch(), async |mut known| known.changed().await.ok().map(|()| ((), known)))
            .boxed()
    }
}
