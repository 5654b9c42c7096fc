// What of ECharts the report needs; `make echarts` builds echarts.min.js of it.
export { init } from "echarts/core";
import { use } from "echarts/core";
import { BarChart, LineChart, SankeyChart, ScatterChart } from "echarts/charts";
import { AriaComponent, GridComponent, TooltipComponent } from "echarts/components";
import { SVGRenderer } from "echarts/renderers";

use([BarChart, LineChart, SankeyChart, ScatterChart, AriaComponent, GridComponent, TooltipComponent, SVGRenderer]);
