// The marks and scales that bnpg/report/templates/chart.js uses; all else of the library is left out of the bundle.
export { plot, lineY, areaY, ruleX, ruleY, rectY, dot, gridX, gridY, axisX, axisY, text } from "@observablehq/plot";
