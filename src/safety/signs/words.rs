//! What is said of a sign: that data are not as they should be, what was seen, and that somebody should look. Never
//! who or why.

use crate::model::point::{Text, Unit};
use crate::model::sign::Tells;
use crate::model::time::Span;

/// The sentence that every sign is told in.
pub(super) fn check(seen: &Text) -> Text {
    Text::new(
        format!("数据质量异常, 请现场核查: {}", seen.zh),
        format!("data quality anomaly, check on site: {}", seen.en),
    )
}

/// A sign is over.
pub(super) fn over() -> Text {
    Text::new("数据质量异常不再出现", "data quality anomaly no longer seen")
}

/// A span as people say it.
fn long(span: Span) -> (String, String) {
    let s = span.us() / 1_000_000;
    match s {
        0..=119 => (format!("{s} 秒"), format!("{s} s")),
        120..=7_199 => (format!("{} 分钟", s / 60), format!("{} min", s / 60)),
        7_200..=172_799 => {
            let (h, m) = (s / 3_600, s / 60 % 60);
            (format!("{h} 小时 {m} 分钟"), format!("{h} h {m} min"))
        }
        _ => (format!("{} 天", s / 86_400), format!("{} days", s / 86_400)),
    }
}

pub(super) fn frozen(stands: Span, usual: Span) -> Text {
    let ((zh, en), (usual_zh, usual_en)) = (long(stands), long(usual));
    Text::new(
        format!("数值 {zh} 不变, 平时最长约 {usual_zh}"),
        format!("the value has not moved for {en}; usually {usual_en} at most"),
    )
}

pub(super) fn noise((now, usual): (f64, f64)) -> Text {
    Text::new(
        format!("波动由平时的 {usual:.4} 降到 {now:.4}, 相邻测点正常波动"),
        format!("its noise fell from the usual {usual:.4} to {now:.4} while a neighbour's is alive"),
    )
}

pub(super) fn step(before: f64, after: f64, told: bool) -> Text {
    let (zh, en) = match told {
        true => ("相邻测点未变", "neighbours did not move"),
        false => ("此后不变", "and it stands still since"),
    };
    Text::new(
        format!("数值由 {before:.2} 骤降到 {after:.2}, {zh}"),
        format!("fell from {before:.2} to {after:.2} at once; {en}"),
    )
}

pub(super) fn high_or_rising(value: f64, slope: f64, unit: Unit) -> Text {
    Text::new(
        format!("数值为 {value:.2} {unit}, 每分钟变化 {slope:+.3}, 此时中断"),
        format!("at {value:.2} {unit}, moving by {slope:+.3} a minute, when it went away"),
    )
}

pub(super) fn over_range() -> Text {
    Text::new("超量程时中断", "beyond its range when it went away")
}

pub(super) fn still_away(lasted: Span) -> Text {
    let (zh, en) = long(lasted);
    Text::new(format!("已中断 {zh}"), format!("away for {en}"))
}

pub(super) fn together(count: usize, within: Span) -> Text {
    Text::new(
        format!("{count} 个测点在 {within} 内同时骤降或中断, 而线路正常"),
        format!("{count} points fell or went away within {within}, and their line did not"),
    )
}

pub(super) fn airflow(up: &str, more: f64, lasted: Span) -> Text {
    let (zh, en) = long(lasted);
    Text::new(
        format!("上风侧 {up} 高出 {more:.2}, 已 {zh}"),
        format!("{up}, upstream, has been higher by {more:.2} for {en}"),
    )
}

pub(super) fn ratio(other: &str, factor: f64, lasted: Span) -> Text {
    let (zh, en) = long(lasted);
    Text::new(
        format!("与 {other} 的比值变为平时的 {factor:.2} 倍, 已 {zh}"),
        format!("its ratio to {other} has been {factor:.2} times the usual for {en}"),
    )
}

pub(super) fn alike(other: &str, correlation: f64, lasted: Span) -> Text {
    let (zh, en) = long(lasted);
    Text::new(
        format!("{zh} 内与 {other} 完全相同, 相关系数 {correlation:.4}"),
        format!("the same as {other} for {en}, correlation {correlation:.4}"),
    )
}

pub(super) fn calibration_shape((zero, gas): (f64, f64)) -> Text {
    Text::new(
        format!("标校期间零气 {zero:.0} 秒, 标准气 {gas:.0} 秒, 不足"),
        format!(
            "in this calibration zero gas was seen for {zero:.0} s and calibration gas for {gas:.0} s: too little"
        ),
    )
}

pub(super) fn calibration_begins(planned: Option<Span>) -> Text {
    match planned.map(long) {
        Some((zh, en)) => {
            Text::new(format!("标校开始, 计划 {zh}"), format!("calibration begins, {en} planned"))
        }
        None => {
            Text::new("设备报告标校, 无人申请", "the device says that it is calibrated; nobody ordered it")
        }
    }
}

pub(super) fn calibration_goes_on(left: Span) -> Text {
    let (zh, en) = long(left);
    Text::new(
        format!("时钟被回拨, 标校还剩 {zh}, 不因此延长"),
        format!("the clock was set back; {en} are left of the calibration all the same"),
    )
}

pub(super) fn calibration_ends(lasted: Span, (zero, gas): (f64, f64)) -> Text {
    let (zh, en) = long(lasted);
    Text::new(
        format!("标校结束, 历时 {zh}, 零气 {zero:.0} 秒, 标准气 {gas:.0} 秒"),
        format!("calibration ends after {en}: zero gas for {zero:.0} s, calibration gas for {gas:.0} s"),
    )
}

pub(super) fn calibration_long(lasted: Span) -> Text {
    let (zh, en) = long(lasted);
    Text::new(format!("标校已 {zh}"), format!("the calibration has lasted for {en}"))
}

pub(super) fn calibration_often(count: usize, days: f64) -> Text {
    Text::new(
        format!("{days:.0} 天内第 {count} 次标校"),
        format!("calibration number {count} within {days:.0} days"),
    )
}

pub(super) fn calibration_on_rise(seen: &Text) -> Text {
    Text::new(format!("标校开始前: {}", seen.zh), format!("before the calibration began: {}", seen.en))
}

pub(super) fn neighbour_rises(other: &str, rise: f64) -> Text {
    Text::new(
        format!("标校期间相邻测点 {other} 上升 {rise:.2}"),
        format!("during the calibration its neighbour {other} rose by {rise:.2}"),
    )
}

pub(super) fn fold_back() -> Text {
    Text::new(
        "气体曾超过催化元件所能承受, 用标气标校前读数不可信",
        "there was more gas than its sensor can bear; what it reads is not to be trusted until it is calibrated with gas",
    )
}

/// A device is another one.
pub(super) fn another(value: f64, before: f64) -> Text {
    Text::new(
        format!("设备标识为 {value}, 之前为 {before}"),
        format!("the device says it is {value}, and was {before} before"),
    )
}

/// A device said who it is.
pub(super) fn identity(value: f64, before: Option<f64>) -> Text {
    match before {
        Some(before) => another(value, before),
        None => Text::new(
            format!("首次读到设备标识 {value}"),
            format!("the device is heard for the first time, as {value}"),
        ),
    }
}

pub(super) fn changed(value: f64, expects: f64) -> Text {
    Text::new(
        format!("设备内设定为 {value}, 应为 {expects}"),
        format!("what is set in the device reads {value} and should be {expects}"),
    )
}

pub(super) fn inhibited(tells: Option<Tells>, lasted: Span) -> Text {
    let (zh, en) = long(lasted);
    let (what_zh, what) = match tells {
        Some(Tells::Inhibit) => ("被抑制", "inhibited"),
        Some(Tells::Calibration) => ("处于标校", "in calibration"),
        Some(Tells::Mute) => ("被消音", "muted"),
        Some(Tells::PowerOff) => ("断电", "without supply"),
        Some(Tells::Local) => ("处于就地操作", "in local operation"),
        None => ("退出运行", "out of service"),
    };
    Text::new(format!("{what_zh}, 已 {zh}"), format!("{what} for {en}"))
}

pub(super) fn clamped(times: u8, top: f64, unit: Unit) -> Text {
    Text::new(
        format!("一周内 {times} 次停在 {top:.2} {unit}, 从未超过"),
        format!("stood at {top:.2} {unit} {times} times within a week and was never above it"),
    )
}

pub(super) fn replayed(again: u16) -> Text {
    Text::new(
        format!("连续 {again} 段数值与以前的完全相同"),
        format!("{again} stretches of values in a row are the same as earlier ones"),
    )
}

pub(super) fn clock(ms: i64) -> Text {
    let s = ms / 1_000;
    Text::new(format!("时钟跳变 {s:+} 秒"), format!("the wall clock jumped by {s:+} s"))
}

pub(super) fn clock_trouble() -> Text {
    Text::new(
        "网关时钟跳变: 检查对时, 查明由谁更改",
        "the gateway's clock jumped: check its time source, and the time stamps around this moment",
    )
}

pub(super) fn output_local(demanded: bool) -> Text {
    let (zh, en) = match demanded {
        true => ("动作指令被撤销", "it reads as released, and its trip is demanded"),
        false => ("出现动作指令", "it reads as tripped, and nothing is demanded"),
    };
    Text::new(format!("输出被他处改变: {zh}"), format!("the output was changed elsewhere: {en}"))
}

pub(super) fn feed_live(lasted: Span) -> Text {
    let (zh, en) = long(lasted);
    Text::new(
        format!("已令断电 {zh}, 馈电仍带电"),
        format!("the feed is live {en} after its cut was demanded"),
    )
}

pub(super) fn feed_still(lasted: Span) -> Text {
    let (zh, en) = long(lasted);
    Text::new(format!("馈电状态 {zh} 未变"), format!("its feed contact has not moved for {en}"))
}
