//! The signs of false data and failing sensors that are looked for on a point or an element, each with its numbers.

use super::{Book, Page};
use crate::model::element::ElementKind;
use crate::model::point::Unit;
use crate::model::sign::{Settings, Side, Sign, WatchedPoint};
use crate::model::table::{ElementId, PointId};

impl Book<'_> {
    pub(super) fn signs_of_point(&self, id: PointId, page: &mut Page) {
        let Some(watched) = self.plan.watched.points.get(&id) else {
            page.say("不查数据失真迹象", "No sign of false data is looked for on it");
            return;
        };
        let is_measured = self.plan.points[id].unit != Unit::State;
        let looked_for: Vec<Sign> = Sign::ALL
            .into_iter()
            .filter(|sign| !watched.off.contains(sign) && is_looked_for(watched, is_measured, *sign))
            .collect();
        list(&looked_for, &watched.settings, page);
        let neighbours = watched.neighbours.iter().map(|neighbour| self.neighbour(neighbour));
        let (zh, en): (Vec<String>, Vec<String>) = neighbours.unzip();
        if !en.is_empty() {
            page.say(
                format!("相邻测点: {}", zh.join(", ")),
                format!("Its neighbours in the air: {}", en.join(", ")),
            );
        } else if is_measured && watched.tells.is_none() && watched.expects.is_none() {
            page.say(
                "无相邻测点: 遮堵、错位、风流逻辑不能识别",
                "No neighbour is stated: a covered inlet, a moved head and air that makes no sense are not noticed",
            );
        }
        if !watched.off.is_empty() {
            let off: Vec<&str> = watched.off.iter().map(|sign| sign.as_str()).collect();
            let off = off.join(", ");
            page.say(format!("不查: {off}"), format!("Not looked for, by the site file: {off}"));
        }
    }

    pub(super) fn signs_of_element(&self, id: ElementId, page: &mut Page) {
        if !self.plan.watched.elements.contains_key(&id) {
            return;
        }
        let looked_for: &[Sign] = match self.plan.elements[id].kind {
            ElementKind::Load => &[Sign::OutputLocal, Sign::FeedLive, Sign::FeedStill],
            ElementKind::Valve | ElementKind::Siren | ElementKind::Lock => &[Sign::OutputLocal],
        };
        list(looked_for, &self.plan.watched.settings, page);
    }
}

/// One statement for all of them: people look for one, and see which there are.
fn list(signs: &[Sign], settings: &Settings, page: &mut Page) {
    let numbers = |sign: Sign| {
        let number = |knob: &crate::model::sign::Knob| format!("{} {}", knob.key(), settings.get(*knob));
        let numbers: Vec<String> = sign.knobs().iter().map(number).collect();
        if numbers.is_empty() { String::new() } else { format!(" ({})", numbers.join(", ")) }
    };
    let (mut zh, mut en) = (
        "失真或失效迹象, 现场核查 (参数见 [signs], 未写的为 Davy 的建议值; 无标准规定):".to_owned(),
        "Signs looked for, to be checked on site (numbers of [signs], or Davy's proposals; no standard gives them):"
            .to_owned(),
    );
    for sign in signs {
        let (sign_zh, sign_en) = words(*sign);
        zh = format!("{zh}\n{sign}: {sign_zh}{}", numbers(*sign));
        en = format!("{en}\n{sign}: {sign_en}{}", numbers(*sign));
    }
    page.say(zh, en);
}

/// Whether what the site file says of a point is enough to look for a sign on it.
fn is_looked_for(watched: &WatchedPoint, is_measured: bool, sign: Sign) -> bool {
    if watched.tells.is_some() {
        return sign == Sign::Inhibited;
    }
    if watched.expects.is_some() {
        return sign == Sign::Changed;
    }
    let (scale, neighbours) = (watched.scale.is_some(), !watched.neighbours.is_empty());
    is_measured
        && match sign {
            Sign::Frozen
            | Sign::Together
            | Sign::Identical
            | Sign::CalibrationShape
            | Sign::CalibrationLong
            | Sign::CalibrationOften
            | Sign::CalibrationOnRise
            | Sign::Inhibited
            | Sign::Replayed => true,
            Sign::Step | Sign::GapOnRise | Sign::Clamped => scale,
            Sign::NoiseCollapse => neighbours,
            Sign::Ratio => scale && neighbours,
            Sign::Airflow => {
                scale
                    && watched.neighbours.iter().any(|n| matches!(n.side, Side::Upstream | Side::Downstream))
            }
            Sign::FoldBack => watched.catalytic,
            Sign::Changed | Sign::Clock | Sign::OutputLocal | Sign::FeedLive | Sign::FeedStill => false,
        }
}

fn words(sign: Sign) -> (&'static str, &'static str) {
    match sign {
        Sign::Frozen => ("数值冻结", "the value stands still for too long"),
        Sign::NoiseCollapse => {
            ("波动消失而相邻点仍有: 进气口可能被遮堵", "its noise is gone and a neighbour's is not")
        }
        Sign::Step => ("突降而相邻点未见", "it drops, and no neighbour does"),
        Sign::GapOnRise => ("上升或高值时中断", "it goes away while it is high or rising"),
        Sign::Together => ("多点同时下降或中断", "many points fall or go away at once"),
        Sign::Airflow => ("上风侧高于下风侧", "more gas upstream than downstream"),
        Sign::Ratio => ("与相邻点比值长期偏移", "its ratio to a neighbour has shifted"),
        Sign::Identical => ("两通道完全一致", "it tells the same as another to the last digit"),
        Sign::CalibrationShape => ("标校中未见标气", "a calibration without calibration gas"),
        Sign::CalibrationLong => ("标校过长", "a calibration that is too long"),
        Sign::CalibrationOften => ("标校过频", "too many calibrations"),
        Sign::CalibrationOnRise => ("上升时标校", "a calibration while gas rises"),
        Sign::FoldBack => ("超量程后读数回落", "little after it was over its range"),
        Sign::Changed => ("设备内设定被改", "what is set in the device was changed"),
        Sign::Inhibited => ("屏蔽、消音、断电或就地过久", "inhibited, muted, off or local for too long"),
        Sign::Replayed => ("历史数据重现", "values of an earlier time come again"),
        Sign::Clock => ("时钟跳变", "the wall clock jumps"),
        Sign::OutputLocal => ("输出被就地改动", "an output changes that Davy did not write"),
        Sign::FeedLive => ("断电指令下馈电仍有电", "the feed stays live while its cut is demanded"),
        Sign::FeedStill => ("馈电触点从不变化", "the feed contact never moves"),
        Sign::Clamped => ("数值封顶于报警值下", "it stops just below its alarm, again and again"),
    }
}
