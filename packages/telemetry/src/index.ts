export * as ProcessMetrics from "./ProcessMetrics.ts"
export * as Prometheus from "./Prometheus.ts"
export * as Telemetry from "./Telemetry.ts"
export * as TelemetryOtlp from "./TelemetryOtlp.ts"
