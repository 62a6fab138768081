//! What operators read, in both languages, where neither the site nor its standard says it.

use super::standard::AreaKind;
use crate::model::alarm::{Condition, Level};
use crate::model::element::ElementKind;
use crate::model::point::Text;

/// Where, what and what is wrong with it, in one line.
pub(super) fn line(area: &Text, thing: &Text, wrong: &Text) -> Text {
    Text::new(
        format!("{} {} {}", area.zh, thing.zh, wrong.zh),
        format!("{}, {}: {}", area.en, thing.en, wrong.en),
    )
}

/// What a level is called in an area of this kind.
pub(super) fn level(kind: &AreaKind, level: Level, high: bool) -> Text {
    let plain = match level {
        Level::Warning => Text::new("预警", "warning"),
        Level::Alarm => Text::new("报警", "alarm"),
        Level::Trip => Text::new("切断", "trip"),
    };
    let label = kind.labels.get(level).cloned().unwrap_or(plain);
    if high { label } else { Text::new(format!("低值{}", label.zh), format!("low, {}", label.en)) }
}

/// What to do about a value or contact at this level.
pub(super) fn level_action(level: Level) -> Text {
    match level {
        Level::Warning => Text::new("查明原因, 加强监视", "Find the cause and watch closely"),
        Level::Alarm => Text::new(
            "现场检查, 采取措施, 准备撤人",
            "Check on site, take measures, prepare to withdraw people",
        ),
        Level::Trip => Text::new(
            "停止作业, 撤人, 确认切断到位",
            "Stop work, withdraw people, make sure that the trip has acted",
        ),
    }
}

/// A contact in its alarm position.
pub(super) fn contact(level: Level) -> Text {
    match level {
        Level::Warning => Text::new("状态预警", "state warning"),
        Level::Alarm => Text::new("状态报警", "state alarm"),
        Level::Trip => Text::new("状态切断", "state trip"),
    }
}

/// What is wrong, and what to do about it.
pub(super) fn of(condition: Condition) -> (Text, Text) {
    match condition {
        Condition::High(level) | Condition::Low(level) | Condition::Contact(level) => {
            (contact(level), level_action(level))
        }
        // Of an element it is said by its kind.
        Condition::NotConfirmed => (
            Text::new("已指令, 未确认到位", "commanded, not confirmed"),
            Text::new("现场确认", "See on site where it is"),
        ),
        Condition::SensorFault => (
            Text::new("传感器故障", "sensor fault"),
            Text::new(
                "检查或更换传感器; 恢复前用便携仪人工监测",
                "Check or replace the sensor; until then measure with a portable instrument",
            ),
        ),
        Condition::OverRange => (
            Text::new("超量程", "over range"),
            Text::new(
                "按最高浓度处置: 撤人; 标校合格前不采信其读数",
                "Treat as the highest concentration: withdraw people; trust no reading of it before calibration",
            ),
        ),
        Condition::Lock => (
            Text::new("达到闭锁浓度", "lock limit"),
            Text::new(
                "严禁启动风机; 按总工程师批准的措施排放瓦斯",
                "Do not start the fan; degas by the measures that the chief engineer approves",
            ),
        ),
        Condition::BypassActive => (
            Text::new("旁路中, 不参与切断", "bypassed: it trips nothing"),
            Text::new(
                "现场用便携仪连续监测; 完成后立即解除旁路",
                "Measure on site with a portable instrument all the while; end the bypass as soon as you are done",
            ),
        ),
        Condition::CommLost => (
            Text::new("通信中断", "no communication"),
            Text::new(
                "检查供电和线路; 恢复前人工监测",
                "Check supply and cable; until it is back, measure by hand",
            ),
        ),
        Condition::Anomaly => (
            Text::new("数据质量异常, 请现场核查", "data quality anomaly, check on site"),
            Text::new(
                "派人现场核查传感器、进气口、接线和供电, 用便携仪比对",
                "Send somebody to look at sensor, inlet, wiring and supply, and compare with a portable instrument",
            ),
        ),
        Condition::Rising => (
            Text::new("上升过快", "rising fast"),
            Text::new("查明来源, 加强通风", "Find the source, ventilate"),
        ),
        Condition::Forecast => (
            Text::new("预计将达报警值", "will reach its alarm soon"),
            Text::new(
                "提前处置: 查明来源, 加强通风, 准备撤人",
                "Act now: find the source, ventilate, prepare to withdraw",
            ),
        ),
        Condition::Deviation => (
            Text::new("两点读数不一致", "two that should agree do not"),
            Text::new(
                "现场比对, 标校读数错误的一个",
                "Compare both on site and calibrate the one that is wrong",
            ),
        ),
        Condition::Differs => (
            Text::new("与场所文件不一致", "not what the site file says"),
            Text::new(
                "核对设备设定和身份: 谁在何时改动",
                "Check the device's settings and identity: who changed them, and when",
            ),
        ),
        Condition::Stale => (
            Text::new("未按时轮询", "not asked in time"),
            Text::new("线路过忙或停滞: 检查总线", "The line is too busy or stuck: check the bus"),
        ),
        Condition::CalibrationDue => (
            Text::new("标校到期", "calibration due"),
            Text::new("标校后在场所文件中登记日期", "Calibrate it and enter the date in the site file"),
        ),
        Condition::MovedUncommanded => (
            Text::new("未经指令自行动作", "moved without a command"),
            Text::new("查明是谁动作; 检查驱动装置", "Find out who moved it; check the drive"),
        ),
        Condition::FeedbackConflict => (
            Text::new("位置反馈矛盾", "its feedback contradicts itself"),
            Text::new(
                "现场确认实际位置, 检查限位开关",
                "See on site where it really is; check the limit switches",
            ),
        ),
        Condition::FeedLive => (
            Text::new("已断电指令, 馈电仍有电", "cut, and still live"),
            Text::new(
                "断电失效: 立即切断上级电源, 撤人",
                "The cut did not work: cut the supply above it at once, withdraw people",
            ),
        ),
        Condition::SlowTravel => (
            Text::new("动作时间超过投运值1.2倍", "took longer than 1.2 times its commissioned time"),
            Text::new("安排检修", "Have it serviced"),
        ),
        Condition::FailedToOpen => (
            Text::new("已解除指令, 尚未恢复", "let go, and not out of its safe state"),
            Text::new("检查是否卡住, 或通知现场恢复", "See whether it is stuck, or tell the people on site"),
        ),
        Condition::LeakThrough => (
            Text::new(
                "已关到位, 气体仍上升: 内漏或阀门不对",
                "confirmed closed, gas still rises: it leaks, or it is the wrong valve",
            ),
            Text::new("关闭上游阀门, 撤人, 通风", "Close the valve before it, withdraw people, ventilate"),
        ),
        Condition::ProofTestFailed => (
            Text::new("试验不合格", "failed its proof test"),
            Text::new("修复并复试合格后方可复位", "Repair it; it is reset after a test that it passes"),
        ),
        Condition::ProofTestDue => (
            Text::new("试验到期", "proof test due"),
            Text::new(
                "做一次全行程试验 (davy prooftest)",
                "Test it all the way into its safe state (davy prooftest)",
            ),
        ),
    }
}

/// What is wrong with an element, and what to do.
pub(super) fn element(kind: ElementKind, condition: Condition) -> (Text, Text) {
    if condition == Condition::NotConfirmed { not_confirmed(kind) } else { of(condition) }
}

fn not_confirmed(kind: ElementKind) -> (Text, Text) {
    match kind {
        ElementKind::Valve => (
            Text::new("已令关闭, 未确认关到位", "commanded shut, not confirmed shut"),
            Text::new("立即现场手动关阀", "Shut it by hand on site, at once"),
        ),
        ElementKind::Load => (
            Text::new("馈电异常: 已令断电, 未确认断电", "feed abnormal: commanded off, not confirmed dead"),
            Text::new("立即现场停电, 撤人", "Cut the power on site at once, withdraw people"),
        ),
        ElementKind::Siren => (
            Text::new("已令启动, 未确认启动", "commanded on, not confirmed on"),
            Text::new("改用电话和广播通知", "Warn people by telephone and broadcast"),
        ),
        ElementKind::Lock => (
            Text::new("已令闭锁, 未确认闭锁", "commanded locked, not confirmed locked"),
            Text::new("派人现场看守, 严禁启动", "Post a guard on site: it must not be started"),
        ),
    }
}
